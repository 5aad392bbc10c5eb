//! A directory as SCIM 2.0 (RFC 7643): what `GET /Users` of an identity provider answers, an array of
//! users, or one user.

use serde_json::Value;

use crate::source::directory::{DirectoryError, People, add};

/// Reads a directory. Groups are passed over.
///
/// # Errors
/// [`DirectoryError`] with the number of the resource.
pub fn parse(bytes: &[u8]) -> Result<People, DirectoryError> {
    let json: Value = serde_json::from_slice(bytes).map_err(|why| DirectoryError::Malformed(format!("the SCIM does not read: {why}")))?;
    let users = match &json {
        Value::Array(users) => users.as_slice(),
        Value::Object(members) => match members.get("Resources") {
            Some(Value::Array(users)) => users.as_slice(),
            Some(_) => return Err(DirectoryError::Malformed("`Resources` of the SCIM list is no array".into())),
            None => std::slice::from_ref(&json),
        },
        _ => return Err(DirectoryError::Malformed("SCIM is a ListResponse, an array of users or a user".into())),
    };
    let mut people = People::new();
    for (number, resource) in users.iter().enumerate().filter(|(_, resource)| !is_group(resource)) {
        user(&mut people, resource, &format!("resource {}", number + 1))?;
    }
    Ok(people)
}

fn is_group(resource: &Value) -> bool {
    let schemas = resource.get("schemas").and_then(Value::as_array);
    schemas.is_some_and(|schemas| schemas.iter().filter_map(Value::as_str).any(|schema| schema.ends_with(":Group")))
}

fn user(people: &mut People, user: &Value, place: &str) -> Result<(), DirectoryError> {
    let text = |name: &str| user.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let emails = || user.get("emails").and_then(Value::as_array).into_iter().flatten();
    let address = |email: &'_ Value| email.get("value").and_then(Value::as_str).map(str::to_owned).filter(|text| !text.trim().is_empty());
    let primary = emails().find(|email| email.get("primary") == Some(&Value::Bool(true))).and_then(address);
    let identity = primary.or_else(|| emails().find_map(address)).or_else(|| text("userName").map(str::to_owned));
    let identity = identity.ok_or_else(|| DirectoryError::Nameless { place: place.to_owned() })?;
    let addresses: Vec<String> = emails().filter_map(address).collect();
    let own = ["userName", "externalId", "id"].into_iter().filter_map(text);
    let formatted = || user.get("name").and_then(|name| name.get("formatted")).and_then(Value::as_str);
    add(people, &identity, own.chain(addresses.iter().map(String::as_str)), text("displayName").or_else(formatted), place)
}
