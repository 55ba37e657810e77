//! Whether an XML answer is complete. The SDK's decoder takes the end of the text for the end of every open element, so
//! an answer that was cut off in a proper envelope would be a shorter list of databases.

/// Whether `body` ends with the end of its first element.
pub(super) fn is_complete(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    let text = text.trim();
    let mut rest = text;
    // What may stand before the first element: declarations and comments.
    while rest.starts_with("<?") || rest.starts_with("<!") {
        let Some((_, after)) = rest.split_once('>') else {
            return false;
        };
        rest = after.trim_start();
    }
    let Some(first) = rest.strip_prefix('<') else {
        // No XML at all, such as the empty answer of a call that returns nothing.
        return rest.is_empty() && body.is_empty();
    };
    let end = first.find(|c: char| c.is_whitespace() || c == '>' || c == '/');
    let Some((name, after)) = end.map(|at| first.split_at(at)) else {
        return false;
    };
    let is_empty = after
        .split_once('>')
        .is_some_and(|(tag, rest)| tag.ends_with('/') && rest.is_empty());
    let closed = text.strip_suffix('>').map(str::trim_end);
    is_empty
        || closed
            .and_then(|t| t.strip_suffix(name))
            .is_some_and(|t| t.ends_with("</"))
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    const ANSWER: &str = "<?xml version=\"1.0\"?>\n<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
                          <DBInstances><DBInstance><Id>a</Id></DBInstance></DBInstances></DescribeDBInstancesResponse>\n";

    #[test]
    fn whole_answers() {
        for text in [ANSWER, "<a/>", "<a b=\"c\"/>", "<a></a>", "<!-- x --><a>y</a >", ""] {
            assert!(is_complete(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn no_part_of_an_answer_is_complete() {
        let end = ANSWER.trim_end().len();
        for at in 1..end {
            assert!(!is_complete(&ANSWER.as_bytes()[..at]), "{}", &ANSWER[..at]);
        }
        assert!(!is_complete(b"<a>\xff</a>"));
        assert!(!is_complete(b"gateway: nobody there"));
    }
}
