//! Where the OCSF form holds the named fields, and one walk that finds all of them.

use std::sync::LazyLock;

use super::json::Json;
use crate::intake::tape::Node;
use crate::search::field::Name;
use crate::search::paths::Paths;

/// Room for the values that most forms have.
const VALUES: usize = 64;

/// All values that the OCSF form has of named fields, field by field and in the order of the paths of each.
pub struct Walk(Vec<Walked>);

/// A value in the OCSF form: of which field, by which of its paths, and where.
struct Walked {
    name: Name,
    choice: usize,
    node: Node,
}

/// Which of the paths of [`Name::Ip`] holds what the map observed, wherever in the form it stands.
pub const OBSERVED: usize = 3;

/// Where the OCSF form holds a field.
pub const fn paths(name: Name) -> &'static [&'static [&'static str]] {
    match name {
        Name::Actor => {
            &[&["actor", "user", "email_addr"], &["actor", "user", "name"], &["actor", "user", "full_name"], &["actor", "user", "uid"]]
        }
        Name::Target => &[&["user", "email_addr"], &["user", "name"], &["user", "full_name"], &["user", "uid"]],
        Name::Ip => &[&["src_endpoint", "ip"], &["device", "ip"], &["dst_endpoint", "ip"], &["observables", "value"]],
        Name::Outcome => &[&["status"], &["status_code"], &["status_id"]],
        Name::Class => &[&["class_name"], &["class_uid"]],
        Name::Activity => &[&["activity_name"], &["activity_id"]],
        Name::Severity => &[&["severity"], &["severity_id"]],
        Name::UserAgent => &[&["http_request", "user_agent"]],
        Name::Session => &[&["session", "uid"], &["actor", "session", "uid"]],
        Name::Api => &[&["api", "operation"], &["api", "service", "name"]],
        Name::Resource => &[&["resources", "name"], &["resources", "uid"], &["resource", "name"], &["resource", "uid"]],
        Name::Account => &[&["cloud", "account", "uid"], &["cloud", "account", "name"]],
        Name::Region => &[&["cloud", "region"]],
        Name::Country => &[&["src_endpoint", "location", "country"], &["device", "location", "country"]],
        Name::Asn => &[&["src_endpoint", "autonomous_system", "number"]],
        Name::Message => &[&["message"], &["status_detail"]],
        _ => &[],
    }
}

/// All of these paths, each with its field and its number there.
static PATHS: LazyLock<Paths<(Name, usize)>> = LazyLock::new(|| {
    let of_name = |name: &'static Name| paths(*name).iter().enumerate().map(|(choice, path)| (*path, (*name, choice)));
    Paths::new(Name::ALL.iter().flat_map(of_name))
});

/// Those of a field, in a list that is sorted by fields.
pub fn of<T>(name: Name, list: &[T], name_of: impl Fn(&T) -> Name) -> &[T] {
    let from = list.partition_point(|item| name_of(item) < name);
    let rest = list.get(from..).unwrap_or_default();
    let count = rest.iter().take_while(|item| name_of(item) == name).count();
    rest.get(..count).unwrap_or_default()
}

impl Walk {
    /// Walks over a form; nothing when a name on the way is not written plainly: then path after path has to be followed.
    pub fn over(ocsf: &Json<'_>) -> Option<Self> {
        let mut walked = Vec::with_capacity(VALUES);
        let plain = PATHS.each(&ocsf.text, &ocsf.tape, &mut |(name, choice), _, node| walked.push(Walked { name, choice, node: *node }));
        walked.sort_by_key(|value| (value.name, value.choice));
        plain.then_some(Self(walked))
    }

    /// The values of a field, each with the number of the path it stands at, in the form that was walked over.
    pub fn each(&self, name: Name, ocsf: &Json<'_>, see: &mut dyn FnMut(usize, &str) -> bool) -> bool {
        let mut of_name = of(name, &self.0, |value| value.name).iter();
        of_name.any(|value| ocsf.scalar(&value.node, &mut |text| see(value.choice, text)))
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    /// Lists, several paths, names that hold dots or are escaped, values that are none, and twice the same name.
    const FORMS: &[&str] = &[
        r#"{"actor":{"user":{"name":"a","uid":"b","email_addr":"c"}},"user":{"uid":1},"status":"x","status_id":2,"status_code":true}"#,
        r#"{"resources":[{"name":"a","uid":"b"},{"uid":"c"},[{"name":"d"}]],"resource":{"name":null,"uid":{}},"api":{"operation":["e","f"]}}"#,
        r#"{"observables":[{"name":"n","value":"10.0.0.1"},{"value":"x"}],"device":{"ip":"::1"},"src_endpoint":{"ip":"10.0.0.2"}}"#,
        r#"{"actor.user":{"name":"a"},"user":{"name":"b"}}"#,
        r#"{"actor":{"user.name":"a","user":{"name":"b"}}}"#,
        r#"{"\u0061ctor":{"user":{"name":"a"}},"user":{"na\u006de":"b"}}"#,
        r#"{"user":{"name":"a"},"user":{"name":"b","uid":"c"},"message":"d\n\ud800"}"#,
        r#"[{"message":"a"},["b"]]"#,
        r#""message""#,
    ];

    #[test]
    fn one_walk_finds_what_path_after_path_does() {
        for form in FORMS {
            let Some(ocsf) = Json::read((*form).into()) else { panic!("{form} is no JSON") };
            let is_plain = !form.contains("actor.user") && !form.contains("user.name") && !form.contains("\\u0061");
            let Some(walk) = Walk::over(&ocsf) else {
                assert!(!is_plain, "{form}");
                continue;
            };
            assert!(is_plain, "{form}");
            for name in Name::ALL {
                let mut by_path = Vec::new();
                for (choice, path) in paths(*name).iter().enumerate() {
                    ocsf.at(path, &mut |value| {
                        by_path.push((choice, value.to_owned()));
                        false
                    });
                }
                let mut by_walk = Vec::new();
                walk.each(*name, &ocsf, &mut |choice, value| {
                    by_walk.push((choice, value.to_owned()));
                    false
                });
                assert_eq!(by_walk, by_path, "{form} {}", name.word());
            }
        }
    }
}
