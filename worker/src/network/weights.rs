//! Weights as safetensors bytes: reading by name, writing, and judging what does not fit.

use std::borrow::Cow;
use std::collections::HashMap;

use lookalike_shared::domain::backbone::{Backbone, ImportReport, LayerId, LoadReport, Mismatch, TensorInfo};
use safetensors::{Dtype, SafeTensors, View};
use tch::{Device, Kind, TchError, Tensor};

use super::tensors::{NamedTensor, Tensors};
use super::{Network, NetworkError, layout};

impl Network {
    /// Takes the weights of a safetensors file. Head and projection stay as they are when the file has none, or has
    /// them for another number of classes or another length of embeddings.
    ///
    /// # Errors
    /// When the file is damaged or holds anything but the backbone's tensors; nothing is changed then.
    pub fn load(&mut self, weights: &[u8]) -> Result<LoadReport, NetworkError> {
        let file = SafeTensors::deserialize(weights)?;
        let report = self.backbone.check_load(&infos(&file), self.classes);
        let report = report.map_err(|mismatches| misfit(&self.backbone, mismatches))?;
        let taken = |layer: LayerId| {
            (report.head || layer != self.backbone.head)
                && (report.projection || Some(layer) != self.backbone.projection)
        };
        tch::no_grad(|| {
            for named in self.tensors.iter().filter(|named| taken(named.parameter.layer)) {
                named.tensor.shallow_clone().f_copy_(&tensor(&file, &named.parameter.name)?)?;
            }
            Ok::<(), NetworkError>(())
        })?;
        self.freeze(self.frozen)?;
        Ok(report)
    }

    /// Every tensor as a safetensors file of `f32`, with the names that [`Network::load`] reads.
    ///
    /// # Errors
    /// When the device fails.
    pub fn save(&self) -> Result<Vec<u8>, NetworkError> {
        write_tensors(self.tensors.named(), None)
    }
}

/// Every tensor of `backbone` from a file, and the number of classes.
pub(super) fn read_all(
    backbone: &Backbone,
    weights: &[u8],
    device: Device,
) -> Result<(usize, Tensors), NetworkError> {
    let file = SafeTensors::deserialize(weights)?;
    let report = check(backbone, &file)?;
    let mut list = Vec::with_capacity(report.tensors);
    for parameter in backbone.parameters(report.classes) {
        let tensor = tensor(&file, &parameter.name)?.f_to_device(device)?;
        list.push(NamedTensor { parameter, tensor: layout::preferred(&tensor, device)? });
    }
    Ok((report.classes, Tensors::new(backbone, list)))
}

/// Overwrites those of `own` that are among `tensors`.
pub(super) fn restore(
    backbone: &'static str,
    own: &Tensors,
    tensors: &[(String, Tensor)],
) -> Result<(), NetworkError> {
    let own: HashMap<&str, &Tensor> = own.named().collect();
    for (name, value) in tensors {
        let Some(target) = own.get(&**name) else {
            let mismatches = vec![Mismatch::Unexpected { name: name.clone() }];
            return Err(NetworkError::Mismatch { backbone, mismatches });
        };
        tch::no_grad(|| target.shallow_clone().f_copy_(value))?;
    }
    Ok(())
}

/// Names, number types and shapes of a safetensors file.
///
/// # Errors
/// When the bytes are no safetensors file.
pub fn header(weights: &[u8]) -> Result<Vec<TensorInfo>, NetworkError> {
    Ok(infos(&SafeTensors::deserialize(weights)?))
}

/// Every tensor of a safetensors file as `f32` on the CPU.
///
/// # Errors
/// When the bytes are no safetensors file, or hold other numbers than `f32`, `f16` and `bf16`.
pub fn read_tensors(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, NetworkError> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut tensors = Vec::with_capacity(file.len());
    for name in file.names() {
        tensors.push((name.to_owned(), tensor(&file, name)?));
    }
    Ok(tensors)
}

/// A safetensors file of `tensors` with at most one entry of metadata, a key and its text; one, because the order of
/// several would differ from file to file.
///
/// # Errors
/// When the device fails.
pub fn write_tensors<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: Option<(&str, String)>,
) -> Result<Vec<u8>, NetworkError> {
    let mut views = Vec::new();
    for (name, tensor) in tensors {
        views.push((name, Stored::new(tensor)?));
    }
    let metadata = metadata.map(|(key, text)| HashMap::from([(key.to_owned(), text)]));
    Ok(safetensors::serialize(views, metadata)?)
}

fn check(backbone: &Backbone, file: &SafeTensors<'_>) -> Result<ImportReport, NetworkError> {
    let report = backbone.check_import(&infos(file));
    report.map_err(|mismatches| misfit(backbone, mismatches))
}

fn misfit(backbone: &Backbone, mismatches: Vec<Mismatch>) -> NetworkError {
    NetworkError::Mismatch { backbone: backbone.name, mismatches }
}

fn infos(file: &SafeTensors<'_>) -> Vec<TensorInfo> {
    let info = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| TensorInfo {
        name: name.to_owned(),
        dtype: format!("{:?}", view.dtype()),
        shape: view.shape().to_vec(),
    };
    file.iter().map(info).collect()
}

/// One tensor of a file as `f32`, contiguous, on the CPU.
fn tensor(file: &SafeTensors<'_>, name: &str) -> Result<Tensor, NetworkError> {
    let view = file.tensor(name)?;
    let kind = kind(view.dtype())?;
    let shape: Vec<i64> = view.shape().iter().map(|&length| length as i64).collect();
    Ok(Tensor::f_from_data_size(view.data(), &shape, kind)?.f_to_kind(Kind::Float)?)
}

fn kind(dtype: Dtype) -> Result<Kind, TchError> {
    if dtype == Dtype::F32 {
        Ok(Kind::Float)
    } else if dtype == Dtype::F16 {
        Ok(Kind::Half)
    } else if dtype == Dtype::BF16 {
        Ok(Kind::BFloat16)
    } else {
        Err(TchError::Kind(format!("{dtype:?} is none of F32, F16, BF16")))
    }
}

/// A tensor as safetensors wants to see it: contiguous, on the CPU.
struct Stored {
    tensor: Tensor,
    shape: Vec<usize>,
}

impl Stored {
    fn new(tensor: &Tensor) -> Result<Self, TchError> {
        let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
        let shape = tensor.size().iter().map(|&length| length as usize).collect();
        Ok(Self { tensor, shape })
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = vec![0; self.data_len()];
        self.tensor
            .f_copy_data_u8(&mut bytes, self.tensor.numel())
            .expect("a contiguous f32 tensor on the CPU is copied into a buffer of its size");
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.tensor.numel() * size_of::<f32>()
    }
}
