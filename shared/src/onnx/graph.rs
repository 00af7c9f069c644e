//! From layers to ONNX nodes of operator set 13.
//!
//! A layer's output is called `<layer>/output`, its tensors have their own names. Around the network stand the
//! normalisation of pixels, the softmax and the scaling of embeddings to length 1.

use super::proto::{Message, Node, tensor};
use super::{EMBEDDING, LOGITS, Model, PIXELS, PROBABILITIES};
use crate::domain::backbone::{Layer, MaxPool2d, Op, Shape};

/// Below this length an embedding is divided by it, so that zeroes stay zeroes.
const SHORTEST: f32 = 1e-12;

/// Nodes in the order in which they run, and the constants that they read beside the weights.
#[derive(Default)]
pub(super) struct Graph {
    pub nodes: Vec<Message>,
    pub constants: Vec<Message>,
    /// By layer: the value that holds its output.
    values: Vec<String>,
}

/// The graph of a model whose layers give `shapes`.
pub(super) fn graph(model: &Model<'_>, shapes: &[Shape]) -> Graph {
    let mut graph = Graph::default();
    graph.normalise(model);
    for (index, layer) in model.backbone.layers.iter().enumerate().skip(1) {
        let is_logits = index == model.backbone.logits().index();
        let output = if is_logits { LOGITS.to_owned() } else { format!("{}/output", layer.name) };
        let inputs: Vec<Shape> = layer.inputs.iter().map(|input| shapes[input.index()]).collect();
        let value = graph.layer(layer, &inputs, output);
        graph.values.push(value);
    }
    graph.nodes.push(Node::new("Softmax", PROBABILITIES).int("axis", 1).input(LOGITS).output(PROBABILITIES));
    let embedding = graph.values[model.backbone.embedding.index()].clone();
    graph.unit_length(&embedding);
    graph
}

impl Graph {
    fn constant(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        self.constants.push(tensor(name, shape, values));
        name.to_owned()
    }

    /// `(pixel - mean) / std` for each channel.
    fn normalise(&mut self, model: &Model<'_>) {
        let mean = self.constant("pixels/mean", &[1, 3, 1, 1], &model.mean);
        let std = self.constant("pixels/std", &[1, 3, 1, 1], &model.std);
        let centred = "pixels/centred";
        self.nodes.push(Node::new("Sub", centred).input(PIXELS).input(mean).output(centred));
        let output = "input/output";
        self.nodes.push(Node::new("Div", "input").input(centred).input(std).output(output));
        self.values.push(output.to_owned());
    }

    fn unit_length(&mut self, embedding: &str) {
        let node = |operator: &str, part: &str| Node::new(operator, &format!("unit_length/{part}"));
        let [long, length] = ["unit_length/length", "unit_length/divisor"];
        let shortest = self.constant("unit_length/shortest", &[], &[SHORTEST]);
        let norm = node("ReduceL2", "length").ints("axes", &[1]).int("keepdims", 1);
        self.nodes.push(norm.input(embedding).output(long));
        self.nodes.push(node("Max", "divisor").input(long).input(shortest).output(length));
        self.nodes.push(node("Div", "embedding").input(embedding).input(length).output(EMBEDDING));
    }

    /// Adds the nodes of a layer and gives the name of its output, which is `output` unless nothing is to be done.
    fn layer(&mut self, layer: &Layer, shapes: &[Shape], output: String) -> String {
        let inputs: Vec<String> =
            layer.inputs.iter().map(|input| self.values[input.index()].clone()).collect();
        let named = |operator: &str| Node::new(operator, &layer.name);
        let own = |suffix: &str| format!("{}.{suffix}", layer.name);
        let mut parameters: Vec<String> = Vec::new();
        let node = match &layer.op {
            Op::Input => unreachable!("the picture is the first layer and no other"),
            Op::Dropout { .. } => return inputs[0].clone(),
            Op::AdaptiveAvgPool2d { size } => {
                return self.average(layer, &inputs[0], shapes[0], *size, output);
            }
            Op::Conv2d(conv) => {
                parameters.push(own("weight"));
                parameters.extend(conv.bias.then(|| own("bias")));
                let [kernel, stride, padding] = [conv.kernel, conv.stride, conv.padding];
                window(named("Conv"), kernel, stride, padding).int("group", conv.groups)
            }
            Op::BatchNorm2d(norm) => {
                parameters.extend(["weight", "bias", "running_mean", "running_var"].map(own));
                named("BatchNormalization").float("epsilon", norm.eps).float("momentum", 1.0 - norm.momentum)
            }
            Op::LocalResponseNorm(norm) => named("LRN")
                .int("size", norm.size)
                .float("alpha", norm.alpha)
                .float("beta", norm.beta)
                .float("bias", norm.k),
            Op::Relu => named("Relu"),
            Op::Relu6 => {
                parameters.push(self.constant(&own("low"), &[], &[0.0]));
                parameters.push(self.constant(&own("high"), &[], &[6.0]));
                named("Clip")
            }
            Op::Silu => {
                let gate = format!("{}/sigmoid", layer.name);
                self.nodes.push(Node::new("Sigmoid", &gate).input(&inputs[0]).output(&gate));
                parameters.push(gate);
                named("Mul")
            }
            Op::Sigmoid => named("Sigmoid"),
            Op::MaxPool2d(MaxPool2d { kernel, stride, padding, ceil }) => {
                window(named("MaxPool"), *kernel, *stride, *padding).int("ceil_mode", usize::from(*ceil))
            }
            Op::AvgPool2d { kernel, stride } => window(named("AveragePool"), *kernel, *stride, 0),
            Op::Flatten => named("Flatten").int("axis", 1),
            Op::Linear(_) => {
                parameters.extend(["weight", "bias"].map(own));
                named("Gemm").int("transB", 1)
            }
            Op::Add => named("Add"),
            Op::Scale => named("Mul"),
            Op::Concat => named("Concat").int("axis", 1),
        };
        let node = inputs.iter().chain(&parameters).fold(node, Node::input);
        self.nodes.push(node.output(&output));
        output
    }

    /// The mean over a grid of cells that may overlap: cell `i` of `size` goes from `floor(i * side / size)` to
    /// `ceil((i + 1) * side / size)`, as PyTorch cuts them. Where one operator does not say that, two products do.
    fn average(&mut self, layer: &Layer, input: &str, shape: Shape, size: usize, output: String) -> String {
        let Shape::Map { side, .. } = shape else { unreachable!("shapes were inferred") };
        if side == size {
            return input.to_owned();
        }
        if size == 1 {
            self.nodes.push(Node::new("GlobalAveragePool", &layer.name).input(input).output(&output));
            return output;
        }
        let mut rows = vec![0.0; size * side];
        let mut columns = vec![0.0; size * side];
        for cell in 0..size {
            let pixels = cell * side / size..((cell + 1) * side).div_ceil(size);
            for pixel in pixels.clone() {
                rows[cell * side + pixel] = 1.0 / pixels.len() as f32;
                columns[pixel * size + cell] = 1.0 / pixels.len() as f32;
            }
        }
        let rows = self.constant(&format!("{}/rows", layer.name), &[size, side], &rows);
        let columns = self.constant(&format!("{}/columns", layer.name), &[side, size], &columns);
        let narrow = format!("{}/narrow", layer.name);
        self.nodes.push(Node::new("MatMul", &narrow).input(input).input(columns).output(&narrow));
        self.nodes.push(Node::new("MatMul", &layer.name).input(rows).input(&narrow).output(&output));
        output
    }
}

/// Attributes of a square window that slides over a map.
fn window(node: Node, kernel: usize, stride: usize, padding: usize) -> Node {
    node.ints("kernel_shape", &[kernel; 2]).ints("strides", &[stride; 2]).ints("pads", &[padding; 4])
}
