//! The views: `events` has every column of the lake, and each class of the OCSF schema that sources are mapped to has
//! one of its own, with the columns that matter for it. docs/SQL.md shows them; a test holds it to this table.

use std::io::{self, Write};

use indelible::search::lake::{COLUMNS, Kind};

/// The view with every column.
pub const EVENTS: &str = "events";

/// The entries of a class.
#[derive(Debug)]
pub struct View {
    /// The class in snake case.
    pub name: &'static str,
    /// Its number.
    pub class_uid: i32,
    /// What it holds.
    pub about: &'static str,
    /// Columns besides those of every view.
    columns: &'static [&'static str],
}

/// Columns of every view: before its own,
const BEFORE: [&str; 9] = ["index", "time", "source", "action", "activity", "status", "status_code", "actor", "ip"];
/// and behind them.
const BEHIND: [&str; 6] = ["country", "asn_name", "user_agent", "session", "message", "id"];

/// All but `events`.
pub const VIEWS: [View; 8] = [
    View { name: "authentication", class_uid: 3002, about: "sign-ins and sign-outs", columns: &["target", "target_name", "asn"] },
    View {
        name: "account_change",
        class_uid: 3001,
        about: "accounts made, changed, locked, removed; passwords and factors",
        columns: &["target", "target_name", "target_uid", "target_email"],
    },
    View { name: "authorize_session", class_uid: 3003, about: "privileges given to a session", columns: &["target", "target_uid"] },
    View {
        name: "user_access_management",
        class_uid: 3005,
        about: "privileges and roles granted and taken away",
        columns: &["target", "target_name", "target_uid", "target_email", "resource", "resource_type"],
    },
    View {
        name: "group_management",
        class_uid: 3006,
        about: "groups and who is in them",
        columns: &["target", "target_name", "target_uid", "target_email", "resource", "resource_type"],
    },
    View {
        name: "entity_management",
        class_uid: 3004,
        about: "applications, policies, keys and settings made, changed, removed",
        columns: &["target", "resource", "resource_type", "account"],
    },
    View {
        name: "api_activity",
        class_uid: 6003,
        about: "calls of a cloud's or a product's interface",
        columns: &["api", "api_service", "resource", "resource_type", "account", "account_name", "region"],
    },
    View { name: "base_event", class_uid: 0, about: "what no class fits", columns: &["kind", "target", "severity"] },
];

impl View {
    /// Its columns.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        BEFORE.into_iter().chain(self.columns.iter().copied()).chain(BEHIND)
    }

    /// The statement that makes it.
    pub fn statement(&self) -> String {
        let columns: Vec<_> = self.columns().map(|column| format!("\"{column}\"")).collect();
        format!("CREATE VIEW {} AS SELECT {} FROM {EVENTS} WHERE class_uid = {}", self.name, columns.join(", "), self.class_uid)
    }
}

/// Writes what the views are.
///
/// # Errors
/// It cannot be written.
pub fn write(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{EVENTS}: all entries")?;
    for column in &COLUMNS {
        let kind = match column.kind {
            Kind::Index => "UINT64",
            Kind::Enumerated => "INT32",
            Kind::Number => "INT64",
            Kind::Time => "TIMESTAMP(ms, UTC)",
            Kind::Text => "STRING",
        };
        writeln!(out, "  {:<14}  {kind}", column.name)?;
    }
    for view in &VIEWS {
        writeln!(out, "\n{}: {} (class_uid {})", view.name, view.about, view.class_uid)?;
        for column in view.columns() {
            writeln!(out, "  {column}")?;
        }
    }
    Ok(())
}
