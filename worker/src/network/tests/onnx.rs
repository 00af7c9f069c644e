//! Exported models, run by ONNX Runtime, against our own network.

use std::path::Path;

use lookalike_shared::onnx::{Model, encode};
use ort::session::Session;

use super::*;

/// Sides at which pooling to a grid of cells is the identity, and at which it is not.
const MODELS: [(&str, Option<usize>, i64); 15] = [
    ("alexnet", None, 227),
    ("alexnet", Some(64), 99),
    ("alexnet_owt", None, 200),
    ("squeezenet1_0", None, 97),
    ("squeezenet1_1", None, 96),
    ("squeezenet1_1", Some(24), 70),
    ("mobilenet_v2", None, 96),
    ("efficientnet_b0", None, 97),
    ("resnet18", None, 96),
    ("resnet18", Some(128), 97),
    ("resnet34", None, 64),
    ("resnet50", None, 64),
    ("densenet121", None, 97),
    ("vgg16", None, 64),
    ("vgg16", Some(8), 224),
];

fn library() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/onnxruntime/lib/libonnxruntime.so")
}

/// An output of a run as a tensor.
fn output(outputs: &ort::session::SessionOutputs<'_>, name: &str) -> Tensor {
    let (shape, values) = outputs[name].try_extract_tensor::<f32>().unwrap();
    Tensor::from_slice(values).view(&**shape)
}

/// Pictures as users have them, in 0..1, and as the network reads them.
fn pictures(side: i64) -> (Vec<f32>, Tensor) {
    let normalisation = Normalisation::default();
    let pixels: Vec<u8> = (0..2 * side * side * 3).map(|at| (at * at / 7 % 251) as u8).collect();
    let read = normalisation.tensor(&pixels, side as usize, CPU).unwrap();
    let shown = Tensor::from_slice(&pixels).view([2, side, side, 3]).permute([0, 3, 1, 2]);
    let shown = (shown.to_kind(Kind::Float) / 255.0).contiguous().view([-1]);
    (Vec::try_from(shown).unwrap(), read)
}

#[test]
fn onnx_runtime_answers_as_our_network_does() {
    let library = library();
    assert!(library.exists(), "no ONNX Runtime: deploy/local/bootstrap lays it out");
    let environment = ort::init_from(library).unwrap().build().unwrap();
    let classes: Vec<String> = (0..CLASSES).map(|class| format!("class {class}")).collect();
    for (name, dim, side) in MODELS {
        let own = backbone::by_name(name).unwrap();
        let backbone = dim.map_or(own, |dim| own.with_embedding_dim(dim).unwrap());
        let network = of(backbone);
        let normalisation = Normalisation::default();
        let model = Model {
            reference: "scenes@3",
            backbone,
            classes: &classes,
            image_size: side as u32,
            mean: normalisation.mean,
            std: normalisation.std,
        };
        let file = encode(&model, &network.save().unwrap()).unwrap();
        let mut session = Session::builder(&environment).unwrap().commit_from_memory(&file).unwrap();
        let (shown, read) = pictures(side);
        let expected = network.forward(&read, Mode::Eval).unwrap();
        let input = ort::value::Tensor::from_array(([2, 3, side, side], shown)).unwrap();
        let outputs = session.run(ort::inputs!["pixels" => input]).unwrap();
        let label = format!("{name} {dim:?} {side}");
        let off = difference(&output(&outputs, "logits"), &expected.logits);
        assert!(off < 1e-3, "{label}: logits {off}");
        let probabilities = expected.logits.softmax(1, Kind::Float);
        let off = largest(&(output(&outputs, "probabilities") - probabilities));
        assert!(off < 1e-4, "{label}: probabilities {off}");
        let embedding = unit_length(&expected.embedding).unwrap();
        let off = largest(&(output(&outputs, "embedding") - embedding));
        assert!(off < 1e-4, "{label}: embedding {off}");
        drop(outputs);
        let metadata = session.metadata().unwrap();
        assert_eq!(metadata.custom("model").as_deref(), Some("scenes@3"));
        assert_eq!(metadata.custom("classes").unwrap(), serde_json::to_string(&classes).unwrap());
        assert_eq!(metadata.custom("embedding_dim").unwrap(), backbone.embedding_dim.to_string());
    }
}
