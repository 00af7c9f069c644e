use std::io::{Read, Seek, SeekFrom, Write};

use safetensors::SafeTensors;

use super::*;

const LIMIT: u64 = 1 << 20;

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn converted(bytes: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    let mut out = tempfile::tempfile().unwrap();
    convert(file(bytes), out.try_clone().unwrap(), limit).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    out.seek(SeekFrom::Start(0)).unwrap();
    out.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

/// Name, shape and values of every tensor of a file, by name.
fn tensors(bytes: &[u8]) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let bytes = converted(bytes, LIMIT).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| data.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let mut tensors: Vec<_> = file
        .iter()
        .map(|(name, view)| (name.to_owned(), view.shape().to_vec(), values(view.data())))
        .collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    tensors
}

fn state() -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let transposed = [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11].map(|value| value as f32);
    vec![
        ("a.weight".to_owned(), vec![4, 3], transposed.to_vec()),
        ("b.weight".to_owned(), vec![4], vec![4.0, 5.0, 6.0, 7.0]),
        ("c.weight".to_owned(), vec![2], vec![1.5, -2.0]),
        ("d.weight".to_owned(), vec![2], vec![1.5, -2.0]),
        ("e.weight".to_owned(), vec![1, 1], vec![0.1]),
        ("f.weight".to_owned(), vec![2], vec![1.0, 1.0]),
    ]
}

const PLAIN: &[u8] = include_bytes!("fixtures/plain.pth");
const LEGACY_FILE: &[u8] = include_bytes!("fixtures/legacy.pth");
const CHECKPOINT: &[u8] = include_bytes!("fixtures/checkpoint.pth");
const COMPILED: &[u8] = include_bytes!("fixtures/compiled.pt");
const COMMAND: &[u8] = include_bytes!("fixtures/command.pth");

#[test]
fn views_shared_storages_and_every_kind_of_float_are_read_from_every_container() {
    for (label, bytes) in [("plain", PLAIN), ("legacy", LEGACY_FILE), ("checkpoint", CHECKPOINT)] {
        assert!(is_pytorch(&bytes[..4]), "{label}");
        assert_eq!(tensors(bytes), state(), "{label}");
    }
    assert!(!is_pytorch(&[0x40, 0, 0, 0]));
}

#[test]
fn a_compiled_module_is_read_by_the_names_of_its_parts() {
    let expected =
        [("fc.bias".to_owned(), vec![1], vec![3.0]), ("fc.weight".to_owned(), vec![1, 2], vec![1.0, 2.0])];
    assert_eq!(tensors(COMPILED), expected);
}

#[test]
fn tch_s_archive_has_bars_for_dots() {
    let pickle = pickle_of(&[("layer1|0|weight", "FloatStorage", 2, 0, 2, 1)], "__torch__ Module");
    let found =
        tensors(&archive(&pickle, &[("0", &[1.0_f32.to_le_bytes(), 2.0_f32.to_le_bytes()].concat())]));
    assert_eq!(found, [("layer1.0.weight".to_owned(), vec![2], vec![1.0, 2.0])]);
}

#[test]
fn a_file_that_asks_for_a_command_is_refused_by_its_name() {
    let told = converted(COMMAND, LIMIT).unwrap_err();
    assert!(told.contains("it asks for `posix.system`, which weights do not need"), "{told}");
    for name in ["builtins eval", "torch load", "numpy.core.multiarray scalar", "__torch__x Y"] {
        let told = converted(&archive(&pickle_of(&[], name), &[]), LIMIT).unwrap_err();
        assert!(told.contains("which weights do not need"), "{name}: {told}");
    }
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    for bytes in [PLAIN, LEGACY_FILE] {
        for length in (14..bytes.len()).step_by(37) {
            assert!(converted(&bytes[..length], LIMIT).is_err(), "{length}");
        }
        assert!(converted(&bytes[..bytes.len() - 1], LIMIT).is_err());
    }
}

#[test]
fn no_byte_of_a_file_makes_the_reading_panic() {
    for bytes in [PLAIN, LEGACY_FILE, COMPILED] {
        for place in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[place] ^= 0x81;
            _ = converted(&changed, LIMIT);
        }
    }
}

/// A pickle of tensors: name, class of the storage, its length, offset, length of the tensor, stride. `object` is the
/// class of the object that has them, or a function that is asked for.
fn pickle_of(tensors: &[(&str, &str, i32, i32, i32, i32)], object: &str) -> Vec<u8> {
    let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let int = |value: i32| [&b"J"[..], &value.to_le_bytes()].concat();
    let global = |name: &str| format!("c{}\n", name.replace(' ', "\n")).into_bytes();
    let mut bytes = [b"\x80\x02".to_vec(), global(object), b")\x81}(".to_vec()].concat();
    for (name, class, len, offset, values, stride) in tensors {
        bytes.extend([text(name), global("torch._utils _rebuild_tensor_v2"), b"((".to_vec()].concat());
        bytes.extend([text("storage"), global(&format!("torch {class}")), text("0"), text("cpu")].concat());
        bytes.extend([int(*len), b"tQ".to_vec(), int(*offset), int(*values), b"\x85".to_vec()].concat());
        bytes.extend([int(*stride), b"\x85\x89N".to_vec(), b"tR".to_vec()].concat());
    }
    bytes.extend(b"ub.");
    bytes
}

fn archive(pickle: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("x/data.pkl", options).unwrap();
    zip.write_all(pickle).unwrap();
    for (key, bytes) in storages {
        zip.start_file(format!("x/data/{key}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn tensors_that_reach_beyond_their_storage_or_hold_no_floats_are_refused() {
    for (tensor, told) in [
        (("w", "FloatStorage", 2, 1, 2, 1), "`w` reaches beyond its storage"),
        (("w", "FloatStorage", 2, 0, 2, i32::MAX), "`w` reaches beyond its storage"),
        (("w", "FloatStorage", 2, -1, 2, 1), "`w` has a shape that no tensor has"),
        (("w", "FloatStorage", 2, 0, -2, 1), "`w` has a shape that no tensor has"),
        (("w", "FloatStorage", 2, 0, 0, 1), "`w` has no values"),
        (("w", "LongStorage", 2, 0, 2, 1), "`w` is stored as LongStorage, floats expected"),
        (("w", "FloatStorage", 3, 0, 2, 1), "the file is damaged: storage 0 has 8 bytes, 12 expected"),
    ] {
        let bytes = archive(&pickle_of(&[tensor], "__torch__ M"), &[("0", &[0; 8])]);
        assert_eq!(converted(&bytes, LIMIT).unwrap_err(), told);
    }
    let nothing = converted(&archive(&pickle_of(&[], "__torch__ M"), &[]), LIMIT).unwrap_err();
    assert!(nothing.starts_with("the file has no state dict"), "{nothing}");
}

#[test]
fn what_unpacks_to_more_than_the_limit_is_refused_before_it_is_unpacked() {
    let count = 1 << 20;
    let zeroes = vec![0; 4 * count];
    let tensor = ("w", "FloatStorage", count as i32, 0, count as i32, 1);
    let bomb = archive(&pickle_of(&[tensor], "__torch__ M"), &[("0", &zeroes)]);
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    let told = converted(&bomb, 1 << 20).unwrap_err();
    assert_eq!(told, "as 32-bit floats it has more than the 1048576 bytes allowed");
    // One number, shown a billion times.
    let wide =
        archive(&pickle_of(&[("w", "FloatStorage", 1, 0, 1 << 30, 0)], "__torch__ M"), &[("0", &[0; 4])]);
    assert_eq!(converted(&wide, 1 << 20).unwrap_err(), told);
    let told = converted(&archive(&vec![b'N'; 2_000_000], &[]), LIMIT).unwrap_err();
    assert!(told.contains("more than the 1000000 values allowed"), "{told}");
}
