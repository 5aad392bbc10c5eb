//! The `Link` header (RFC 8288): where the next page is.

use http::HeaderMap;
use http::header::LINK;

/// Target of the first link whose `rel` has `wanted` among its words.
#[must_use]
pub fn link<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(|value| in_value(value, wanted))
}

/// The same in one header's value: `<target>; name=value; name="value", <target>…`.
#[must_use]
pub fn in_value<'a>(value: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = value;
    loop {
        let (_, from) = rest.split_once('<')?;
        let (target, mut parameters) = from.split_once('>')?;
        let mut found = false;
        // A parameter at a time, up to the comma that begins the next link.
        loop {
            parameters = parameters.trim_start();
            let Some(parameter) = parameters.strip_prefix(';') else {
                break;
            };
            let (name, value, after) = parameter_of(parameter);
            found |= name.eq_ignore_ascii_case("rel") && value.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(wanted));
            parameters = after;
        }
        if found {
            return Some(target);
        }
        rest = parameters;
    }
}

/// Name, value and what follows of `name=value` or `name="value"`.
fn parameter_of(text: &str) -> (&str, &str, &str) {
    let name_end = text.find(['=', ';', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    let Some(value) = rest.strip_prefix('=') else {
        return (name.trim(), "", rest);
    };
    let value = value.trim_start();
    if let Some(quoted) = value.strip_prefix('"') {
        // An escaped quote ends the value early; no registered relation has one.
        let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
        return (name.trim(), value, after);
    }
    let end = value.find([';', ',']).unwrap_or(value.len());
    let (value, after) = value.split_at(end);
    (name.trim(), value.trim(), after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_next_page_is_found_however_the_header_is_written() {
        for value in [
            r#"<https://x/a?after=1>; rel="next""#,
            r#"<https://x/s>; rel="self", <https://x/a?after=1>; rel="next""#,
            "<https://x/s>;rel=self,<https://x/a?after=1>;rel=next",
            r#"<https://x/a?after=1>; title="a, <b>; c"; rel="prev next""#,
            r#"<https://x/a?after=1> ; REL = "NEXT" ; x"#,
        ] {
            assert_eq!(in_value(value, "next"), Some("https://x/a?after=1"), "{value}");
        }
        for value in
            ["", "<", "<>", "<https://x/a>", r#"<https://x/a>; rel="nextish""#, r#"<https://x/a>; title="next""#, "https://x/a; rel=next"]
        {
            assert_eq!(in_value(value, "next"), None, "{value}");
        }
    }

    #[test]
    fn several_headers_are_looked_through() {
        let mut headers = HeaderMap::new();
        headers.append(LINK, http::HeaderValue::from_static(r#"<https://x/s>; rel="self""#));
        headers.append(LINK, http::HeaderValue::from_static(r#"<https://x/n>; rel="next""#));
        assert_eq!(link(&headers, "next"), Some("https://x/n"));
        assert_eq!(link(&headers, "prev"), None);
    }

    proptest! {
        #[test]
        fn no_header_panics_and_what_is_found_stands_in_it(value in r#"([<>;,="\\ ]|rel|next|[a-z:/é]){0,40}"#) {
            if let Some(target) = in_value(&value, "next") {
                prop_assert!(value.contains(target));
            }
        }
    }
}
