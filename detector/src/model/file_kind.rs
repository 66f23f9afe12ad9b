//! The bytes of a file that is not a model in, the kind of the file out.

/// The kind of a file, judged by its first bytes, as words for a sentence; `None` if they do not show it.
pub fn describe(bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    Some(match bytes {
        [] => "an empty file",
        // A safetensors header: 8 bytes with its length, which may begin like a pickle, and JSON.
        [_, _, _, 0, 0, 0, 0, 0, b'{', ..] => return None,
        [0x1f, 0x8b, ..] => "a gzip file",
        [0x80, 2..=5, ..] => {
            "a Python pickle: import a scikit-learn forest by `detector train --from-sklearn`"
        }
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => {
            "a zlib file, as joblib writes: import a scikit-learn forest by `detector train --from-sklearn`"
        }
        _ if starts(b"PK\x03\x04") => {
            "a zip file, as skops writes: import a scikit-learn forest by `detector train --from-sklearn`"
        }
        _ if starts(b"\x28\xb5\x2f\xfd") => "a zstd file",
        _ if starts(b"PAR1") => "a Parquet file",
        _ if starts(b"\x89HDF") => "an HDF5 file",
        _ if starts(b"%PDF") => "a PDF file",
        _ if starts(b"\x7fELF") => "a program",
        _ => return text(bytes),
    })
}

fn text(bytes: &[u8]) -> Option<&'static str> {
    let head = &bytes[..bytes.len().min(4096)];
    let head =
        std::str::from_utf8(head).or_else(|error| std::str::from_utf8(&head[..error.valid_up_to()])).ok()?;
    let is_text = !head.is_empty() && !head.chars().any(|c| c.is_control() && !c.is_whitespace());
    let line = head.trim_start().lines().next().unwrap_or_default();
    Some(match line {
        _ if !is_text => return None,
        line if line.starts_with(['{', '[']) => "JSON",
        line if line.starts_with('<') => "HTML or XML",
        _ if head.contains("apiVersion:") => "a Kubernetes manifest",
        line if line.contains([',', ';', '\t']) => "a CSV file: `detector train --input` makes a model of it",
        _ => "text",
    })
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn a_file_that_is_no_model_says_what_it_is() {
        for (bytes, kind) in [
            (&b""[..], "an empty file"),
            (b"\x1f\x8b\x08", "a gzip file"),
            (b"\x80\x04\x95", "a Python pickle"),
            (b"PK\x03\x04", "a zip file"),
            (b"time,value\n1,2\n", "a CSV file"),
            (b"{\"a\": 1}", "JSON"),
            (b"apiVersion: anomaly.dev/v1alpha1\n", "a Kubernetes manifest"),
        ] {
            assert!(describe(bytes).unwrap().starts_with(kind), "{kind}");
        }
        assert_eq!(describe(&[7, 0, 1, 255, 3]), None);
        assert_eq!(describe(b"\x80\x05\0\0\0\0\0\0{\"__metadata__\""), None, "a model, damaged or not");
    }
}
