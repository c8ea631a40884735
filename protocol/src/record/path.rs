//! Paths of fields: JSON-Pointer escaped segments joined by `/`, as in `bp/readings/k3f9a2bq`.

/// One segment, escaped: `~` is `~0`, `/` is `~1`.
pub fn escape(segment: &str) -> String {
    // As good as never is there anything to escape.
    if segment.contains(['~', '/']) {
        segment.replace('~', "~0").replace('/', "~1")
    } else {
        segment.to_owned()
    }
}

pub fn unescape(segment: &str) -> String {
    // As good as never escaped, and then there is nothing to search for twice.
    if segment.contains('~') { segment.replace("~1", "/").replace("~0", "~") } else { segment.to_owned() }
}

/// The path of a member below `parent`; `parent` is a path already, `segment` is plain.
pub fn join(parent: &str, segment: &str) -> String {
    if parent.is_empty() { escape(segment) } else { format!("{parent}/{}", escape(segment)) }
}

/// The plain segments of a path.
pub fn split(path: &str) -> Vec<String> {
    path.split('/').map(unescape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_survive() {
        let path = join(&join("ext", "a/b~c"), "~1");
        assert_eq!(path, "ext/a~1b~0c/~01");
        assert_eq!(split(&path), ["ext", "a/b~c", "~1"]);
    }
}
