//! The C2SP read API of the tree (tlog-tiles v0.1): checkpoint, tiles, entry bundles. Leaves carry
//! no payload, so all of it may be public; whether it is, an act says.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use tlog::tile::{TILE_WIDTH, encode_bundle, encode_hashes};
use tlog::{Nodes as _, TileId, TileKind, TreeSize};

use crate::api::answer::bytes;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::query::{NoQuery, query};
use crate::api::state::Api;
use crate::store::read::{ReadError, Reader};

/// `GET /trails/main/checkpoint`: the newest signed note.
pub fn checkpoint(api: &Api) -> Response {
    let note = api.trail.view().note.to_string();
    let mut response = bytes(StatusCode::OK, "text/plain; charset=utf-8", note);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// `GET /trails/main/tile/…`: a tile of hashes or a bundle of entries, as far as the tree goes. A
/// tile never changes: full or partial, it may be kept for ever, by shared caches only if the trail
/// is public.
pub async fn tile(api: &Arc<Api>, mut asked: Asked) -> Result<Response, ApiError> {
    let NoQuery {} = query(&asked.parts.uri)?;
    let path = asked.path_part().await?;
    let tile: TileId = path.parse().map_err(|why: tlog::tile::TilePathError| ApiError::not_found("no_such_tile", why.to_string()))?;
    let view = api.trail.view();
    if !tile.is_in(TreeSize(view.size)) {
        return Err(ApiError::not_found(
            "no_such_tile",
            format!("a tree of {} leaves has no tile {tile}: ask for the tiles of the newest checkpoint", view.size),
        ));
    }
    let body = api.read(move |trail| Ok(contents(trail.reader(), tile)?)).await?;
    let mut response = bytes(StatusCode::OK, "application/octet-stream", body);
    let keep = if view.state.public { "public, max-age=31536000, immutable" } else { "private, max-age=31536000, immutable" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    Ok(response)
}

/// The bytes of a tile that is in the tree.
fn contents(reader: &Reader, tile: TileId) -> Result<Vec<u8>, ReadError> {
    let first = tile.n * u64::from(TILE_WIDTH);
    let end = first + u64::from(tile.width);
    match tile.kind {
        TileKind::Hashes(level) => {
            let nodes = reader.nodes();
            let hashes = (first..end).map(|index| nodes.node(8 * level, index)).collect::<Result<Vec<_>, _>>()?;
            Ok(encode_hashes(&hashes))
        }
        TileKind::Entries => {
            let leaves = reader.bundle_leaves(tile.n, end)?;
            let entries = leaves.iter().take(tile.width.into()).map(|leaf| leaf.as_slice());
            // A leaf has 48 bytes: it fits.
            encode_bundle(entries).map_err(|why| crate::store::read::damaged(crate::store::layout::SEGMENTS, why))
        }
    }
}
