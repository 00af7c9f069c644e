//! Lists of buckets on their way to object_store: names that it cannot hold are escaped, see [`super::keys`].
//!
//! A list is read whole here, so that one that breaks off half way is asked for again by object_store's retry, which
//! knows nothing of bodies.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

use super::keys::escape;

/// The elements that hold names: of S3 and GCS `Key`, and `Prefix` for what is taken together; of Azure `Name`.
const NAMES: [&str; 3] = ["Key", "Prefix", "Name"];

/// Makes clients that escape names in lists.
#[derive(Debug, Default)]
pub(super) struct Connector(ReqwestConnector);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(self.0.connect(options)?)))
    }
}

#[derive(Debug)]
struct Service(HttpClient);

impl HttpService for Service {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let is_list = request.uri().query().is_some_and(|query| {
                query.split('&').any(|pair| matches!(pair, "list-type=2" | "comp=list"))
            });
            let response = self.0.execute(request).await?;
            if !is_list || !response.status().is_success() {
                return Ok(response);
            }
            let (parts, body) = response.into_parts();
            let broken = |error: HttpError| HttpError::new(HttpErrorKind::Interrupted, error);
            let bytes = body.bytes().await.map_err(broken)?;
            let body = match std::str::from_utf8(&bytes).map(escape_names) {
                Ok(Cow::Owned(text)) => text.into(),
                // What is no UTF-8 is object_store's to refuse.
                Ok(Cow::Borrowed(_)) | Err(_) => bytes.into(),
            };
            Ok(HttpResponse::from_parts(parts, body))
        })
    }
}

/// The list with those of its names escaped that need it.
fn escape_names(xml: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut at = 0;
    while let Some(open) = xml[at..].find('<').map(|open| at + open) {
        at = open + 1;
        let Some(tag) =
            NAMES.iter().find(|tag| xml[at..].strip_prefix(**tag).is_some_and(|rest| rest.starts_with('>')))
        else {
            continue;
        };
        let start = at + tag.len() + 1;
        let Some(end) = xml[start..].find('<').map(|end| start + end) else { break };
        at = end;
        // An element that holds others is no name.
        if !xml[end..].starts_with("</") || start == end {
            continue;
        }
        let name = unescape_xml(&xml[start..end]);
        // What is taken together ends in a slash, which object_store takes off.
        let together = *tag == "Prefix" || xml[..open].trim_end().ends_with("<BlobPrefix>");
        let name = if together { name.strip_suffix('/').unwrap_or(&name) } else { &name };
        if let Some(escaped) = escape(name) {
            out.push_str(&xml[done..start]);
            out.push_str(&escaped);
            done = end;
        }
    }
    if done == 0 {
        return Cow::Borrowed(xml);
    }
    out.push_str(&xml[done..]);
    Cow::Owned(out)
}

/// The text of an element. A reference that is none stays as it is.
fn unescape_xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let reference = after.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        rest = match reference {
            Some((character, after)) => {
                out.push(character);
                after
            }
            None => {
                out.push('&');
                after
            }
        };
    }
    out + rest
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => digits.parse(),
            };
            char::from_u32(number.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_need_it_are_escaped() {
        let plain = "<R><Prefix>p/</Prefix><Contents><Key>p/a&amp;b c</Key></Contents>\
                     <CommonPrefixes><Prefix>p/q/</Prefix></CommonPrefixes></R>";
        assert!(matches!(escape_names(plain), Cow::Borrowed(_)));
        let odd = "<Key>a//b</Key><Key>&#x1;&lt;</Key><Size>1</Size><Key> c</Key>";
        let hex = |name| escape(name).unwrap();
        let expected = format!(
            "<Key>{}</Key><Key>{}</Key><Size>1</Size><Key>{}</Key>",
            hex("a//b"),
            hex("\u{1}<"),
            hex(" c")
        );
        assert_eq!(escape_names(odd), expected);
    }

    #[test]
    fn a_folder_keeps_its_slash_and_an_object_that_ends_in_one_too() {
        let azure = "<Blob><Name>a/</Name></Blob><BlobPrefix><Name>a/</Name></BlobPrefix>\
                     <BlobPrefix><Name>a//</Name></BlobPrefix>";
        let marker = escape("a/").unwrap();
        let expected = format!(
            "<Blob><Name>{marker}</Name></Blob><BlobPrefix><Name>a/</Name></BlobPrefix>\
             <BlobPrefix><Name>{marker}</Name></BlobPrefix>"
        );
        assert_eq!(escape_names(azure), expected);
    }

    #[test]
    fn references_that_are_none_stay() {
        assert_eq!(unescape_xml("a&b;&amp;&#65;&#x42;&#xZ;&"), "a&b;&AB&#xZ;&");
    }
}
