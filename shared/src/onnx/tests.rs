use half::{bf16, f16};
use safetensors::{Dtype, serialize, tensor::TensorView};

use super::*;
use crate::domain::backbone;

/// The weights of a SqueezeNet as numbers of a type: value `i` of each tensor is `i % 7 - 3`.
fn weights(dtype: Dtype, extra: bool) -> Vec<u8> {
    let backbone = backbone::by_name("squeezenet1_1").unwrap();
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for parameter in backbone.parameters(2) {
        let values = (0..parameter.len()).map(|index| (index % 7) as f32 - 3.0);
        let bytes = if dtype == Dtype::F16 {
            values.flat_map(|value| f16::from_f32(value).to_le_bytes()).collect()
        } else if dtype == Dtype::BF16 {
            values.flat_map(|value| bf16::from_f32(value).to_le_bytes()).collect()
        } else {
            values.flat_map(|value| value.to_le_bytes()).collect()
        };
        tensors.push((parameter.name, parameter.shape, bytes));
    }
    if extra {
        tensors.push(("features.0.num_batches_tracked".to_owned(), vec![], vec![0; 2]));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(dtype, shape.clone(), bytes).unwrap()));
    serialize(views, None).unwrap()
}

fn classes() -> Vec<String> {
    ["bowl", "tea \"pot\""].map(str::to_owned).to_vec()
}

fn model<'a>(classes: &'a [String], image_size: u32) -> Model<'a> {
    let backbone = backbone::by_name("squeezenet1_1").unwrap();
    Model { reference: "scenes@2", backbone, classes, image_size, mean: [0.5; 3], std: [0.25; 3] }
}

#[test]
fn the_file_is_the_same_whatever_the_numbers_and_pieces_of_the_weights() {
    let classes = classes();
    let model = model(&classes, 96);
    let bytes = weights(Dtype::F32, false);
    let file = encode(&model, &bytes).unwrap();
    let mut halves: Vec<Vec<u8>> = Vec::new();
    for dtype in [Dtype::F16, Dtype::BF16] {
        let bytes = weights(dtype, dtype == Dtype::F16);
        let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        for size in [1001, bytes.len()] {
            let mut encoder = encoder(&model, &metadata).unwrap();
            let length = encoder.length();
            let mut file: Vec<u8> =
                bytes[8 + header..].chunks(size).flat_map(|piece| encoder.push(piece)).collect();
            file.extend(encoder.finish().unwrap());
            assert_eq!(file.len() as u64, length);
            halves.push(file);
        }
    }
    assert!(halves.iter().all(|half| *half == file));
    let text = String::from_utf8_lossy(&file);
    assert!(text.contains(r#"["bowl","tea \"pot\""]"#) && text.contains("scenes@2"));
}

#[test]
fn weights_that_do_not_fit_or_end_early_are_refused() {
    let (bytes, two) = (weights(Dtype::F32, false), classes());
    let three = [classes(), classes()[..1].to_vec()].concat();
    assert_eq!(
        encode(&model(&three, 96), &bytes).unwrap_err().to_string(),
        "the weights tell 2 classes apart, the model has 3"
    );
    let small = encode(&model(&two, 16), &bytes).unwrap_err().to_string();
    assert!(small.starts_with("image size 16 is too small"), "{small}");
    let resnet = Model { backbone: backbone::by_name("resnet18").unwrap(), ..model(&two, 96) };
    let other = encode(&resnet, &bytes).unwrap_err().to_string();
    assert!(other.starts_with("the weights do not fit resnet18"), "{other}");
    let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let mut cut = encoder(&model(&two, 96), &metadata).unwrap();
    cut.push(&bytes[8 + header..bytes.len() - 1]);
    let data = (bytes.len() - 8 - header) as u64;
    assert_eq!(cut.finish().unwrap_err(), WrongLength { found: data - 1, needed: data });
}
