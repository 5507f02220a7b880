//! Where an object is, as a URL says it.

use std::fmt;
use std::str::FromStr;

use chassis::config::UrlFault;

/// `s3://bucket/key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The bucket.
    pub bucket: String,
    /// The key, as it is: nothing in it is encoded.
    pub key: String,
}

impl FromStr for Address {
    type Err = UrlFault;

    /// Reads a URL, of which everything after the bucket is the key. None of its text is in a fault.
    fn from_str(text: &str) -> Result<Self, UrlFault> {
        let fault = |message, hint| UrlFault { message, hint };
        let example = "write, for instance, s3://prompts/support/system.txt";
        let rest = text.strip_prefix("s3://").ok_or(fault("is not an s3:// URL", example))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains('@') {
            return Err(fault("has credentials in it", "they come from the environment, as the AWS SDKs read it"));
        }
        let bucket_like = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if bucket.is_empty() || !bucket.bytes().all(bucket_like) {
            return Err(fault("has no name of a bucket after s3://", example));
        }
        if key.is_empty() {
            return Err(fault("has no key after the bucket", example));
        }
        if key.ends_with('/') {
            return Err(fault("names a folder, which S3 does not have", "name the objects one by one"));
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_bucket_is_the_key() {
        let address: Address = "s3://my.bucket-1/a b/c?d#e@f".parse().unwrap();
        assert_eq!(address, Address { bucket: "my.bucket-1".to_owned(), key: "a b/c?d#e@f".to_owned() });
        assert_eq!(address.to_string(), "s3://my.bucket-1/a b/c?d#e@f");
    }

    #[test]
    fn faults_say_what_is_wrong_and_never_the_text() {
        for (text, message) in [
            ("https://bucket/key", "is not an s3:// URL"),
            ("s3:/bucket/key", "is not an s3:// URL"),
            ("s3://id:secret@bucket/key", "has credentials in it"),
            ("s3:///key", "has no name of a bucket after s3://"),
            ("s3://a:9000/key", "has no name of a bucket after s3://"),
            ("s3://bucket", "has no key after the bucket"),
            ("s3://bucket/", "has no key after the bucket"),
            ("s3://bucket/folder/", "names a folder, which S3 does not have"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err().message, message, "{text}");
        }
    }
}
