//! The family of a user agent: what program, on what system. Versions change by themselves and say nothing.

/// Browsers by what only they say; each later one is also said by those before it.
const BROWSERS: [(&str, &str); 5] =
    [("Edge", "Edg/"), ("Opera", "OPR/"), ("Chrome", "Chrome/"), ("Firefox", "Firefox/"), ("Safari", "Safari/")];
/// Systems, in the same manner.
const SYSTEMS: [(&str, &str); 6] =
    [("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("macOS", "Macintosh"), ("Linux", "Linux")];
/// Characters of the name of a program that is no browser.
const PROGRAM_CHARS_MAX: usize = 64;

fn holds(agent: &str, part: &str) -> bool {
    agent.to_lowercase().contains(&part.to_lowercase())
}

fn first(of: &[(&'static str, &str)], agent: &str) -> Option<&'static str> {
    of.iter().find(|(_, part)| holds(agent, part)).map(|(name, _)| *name)
}

/// What its name ends at.
fn program(agent: &str) -> Option<&str> {
    let end = agent.find(|c: char| c == '/' || c == '(' || c == ',' || c == ';' || c.is_whitespace()).unwrap_or(agent.len());
    agent.get(..end).filter(|name| !name.is_empty() && name.chars().count() <= PROGRAM_CHARS_MAX)
}

/// `Firefox on Linux`, `aws-cli`; nothing for what is no user agent.
#[must_use]
pub fn family(agent: &str) -> Option<String> {
    match (first(&BROWSERS, agent), first(&SYSTEMS, agent)) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
        (Some(browser), None) => Some(browser.to_owned()),
        (None, _) => program(agent).map(str::to_owned),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn versions_make_no_family() {
        let is = |agent: &str, name: &str| assert_eq!(family(agent).as_deref(), Some(name), "{agent}");
        is("Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0", "Firefox on Linux");
        is(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36 Edg/120.0",
            "Edge on Windows",
        );
        is(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
            "Safari on macOS",
        );
        is("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36", "Chrome on Android");
        is("aws-cli/2.31.0 md/awscrt#0.27.6 os/linux#6.12.0", "aws-cli");
        is("git/2.51.0", "git");
        is("signin.amazonaws.com", "signin.amazonaws.com");
        assert_eq!(family(""), None);
        assert_eq!(family("/x"), None);
    }
}
