//! A directory as CSV (RFC 4180): a header row that says what the columns are, one person a row, or
//! one name a row.

use crate::source::directory::{DirectoryError, People, add};

/// Columns of a file: more are no directory.
const COLUMNS_MAX: usize = 256;

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    /// The identity, from the first of these that a row fills; the others are names. Lower comes first.
    Identity(u8),
    /// One name.
    Name,
    /// Names with `;` or `|` between them.
    Names,
    /// The id of a kind of source, which is unique only there.
    Id(String),
    /// An account of a domain that stands in another column.
    Account,
    /// That domain.
    Domain,
    /// What people call it.
    Display,
    /// Something else.
    Other,
}

/// `samAccountName`, `Sam Account Name` and `sam-account-name` are one column.
fn words(header: &str) -> String {
    let (mut words, mut was_lower) = (String::new(), false);
    for c in header.trim().trim_start_matches('\u{feff}').chars() {
        if c.is_alphanumeric() {
            if c.is_uppercase() && was_lower {
                words.push('_');
            }
            words.extend(c.to_lowercase());
        } else if !words.ends_with('_') {
            words.push('_');
        }
        was_lower = c.is_lowercase();
    }
    words.trim_matches('_').to_owned()
}

fn column(header: &str) -> Column {
    let words = words(header);
    match words.as_str() {
        "identity" => Column::Identity(0),
        "email" | "e_mail" | "mail" | "email_address" | "primary_email" | "work_email" => Column::Identity(1),
        "user_principal_name" | "upn" => Column::Identity(2),
        "user_name" | "username" | "login" => Column::Identity(3),
        "aliases" | "names" | "emails" | "other_names" | "proxy_addresses" | "other_mails" => Column::Names,
        "alias" | "domain_user" | "secondary_email" | "personal_email" | "id" | "external_id" | "user_id" | "object_id" | "arn" => {
            Column::Name
        }
        "sam_account_name" | "samaccountname" => Column::Account,
        "domain" | "netbios_domain" | "domain_name" => Column::Domain,
        "display_name" | "display" | "full_name" | "name" => Column::Display,
        "entra_id" | "entra_object_id" => Column::Id("entra_id".into()),
        "github_id" => Column::Id("github_audit".into()),
        other => match other.rsplit_once('_') {
            Some((kind, "id")) => Column::Id(kind.to_owned()),
            Some((_, "login" | "user" | "username" | "email" | "account")) => Column::Name,
            _ => Column::Other,
        },
    }
}

/// Reads a directory.
///
/// # Errors
/// [`DirectoryError`] with the line.
pub fn parse(bytes: &[u8]) -> Result<People, DirectoryError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let malformed = |why: csv::Error| DirectoryError::Malformed(format!("the CSV does not read: {why}"));
    let columns: Vec<Column> = reader.headers().map_err(malformed)?.iter().map(column).collect();
    if columns.len() > COLUMNS_MAX || !columns.iter().any(|column| matches!(column, Column::Identity(_))) {
        return Err(DirectoryError::Malformed(format!(
            "its first line must name the columns, at most {COLUMNS_MAX}, and one of them identity, email, userPrincipalName or userName"
        )));
    }
    let (mut people, mut record) = (People::new(), csv::StringRecord::new());
    while reader.read_record(&mut record).map_err(malformed)? {
        let line = record.position().map_or(0, csv::Position::line);
        row(&mut people, &columns, &record, &format!("line {line}"))?;
    }
    Ok(people)
}

fn row(people: &mut People, columns: &[Column], record: &csv::StringRecord, place: &str) -> Result<(), DirectoryError> {
    let cells = || columns.iter().zip(record).filter(|(_, cell)| !cell.is_empty());
    let domain = cells().find(|(column, _)| **column == Column::Domain).map(|(_, domain)| domain);
    let identity = cells().filter_map(|(column, cell)| if let Column::Identity(rank) = column { Some((*rank, cell)) } else { None });
    let Some((_, identity)) = identity.min_by_key(|(rank, _)| *rank) else {
        return Err(DirectoryError::Nameless { place: place.to_owned() });
    };
    let (mut names, mut display) = (Vec::new(), None);
    for (column, cell) in cells() {
        match column {
            Column::Identity(_) | Column::Name => names.push(cell.to_owned()),
            Column::Names => names.extend(cell.split([';', '|']).map(|name| without_scheme(name.trim()).to_owned())),
            Column::Id(kind) => names.push(format!("{kind}:{cell}")),
            Column::Account => names.push(domain.map_or_else(|| cell.to_owned(), |domain| format!("{domain}\\{cell}"))),
            Column::Display => display = Some(cell),
            Column::Domain | Column::Other => {}
        }
    }
    add(people, identity, names.iter().map(String::as_str), display, place)
}

/// Exchange writes `SMTP:ana@corp.example` in `proxyAddresses`.
fn without_scheme(name: &str) -> &str {
    match name.split_at_checked(5) {
        Some((scheme, address)) if scheme.eq_ignore_ascii_case("smtp:") => address,
        _ => name,
    }
}
