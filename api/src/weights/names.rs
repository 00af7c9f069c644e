//! Names that published files give to tensors, and ours.

/// What DataParallel puts before every name.
const PARALLEL: &str = "module.";

/// Caffe's names of AlexNet's layers, as its weights are published for PyTorch.
const CAFFE_ALEXNET: [(&str, &str); 8] = [
    ("conv1", "features.0"),
    ("conv2", "features.4"),
    ("conv3", "features.8"),
    ("conv4", "features.10"),
    ("conv5", "features.12"),
    ("fc6", "classifier.0"),
    ("fc7", "classifier.3"),
    ("fc8", "classifier.6"),
];

/// The names of a file as the backbones have them.
pub fn renamed(names: Vec<String>) -> Vec<String> {
    let parallel = names.iter().all(|name| name.starts_with(PARALLEL));
    let names = names.into_iter().map(|name| match name.strip_prefix(PARALLEL) {
        Some(rest) if parallel => rest.to_owned(),
        _ => name,
    });
    let names: Vec<String> = names.collect();
    let is_caffe = CAFFE_ALEXNET.iter().all(|(caffe, _)| names.contains(&format!("{caffe}.weight")));
    names.into_iter().map(|name| if is_caffe { of_caffe(&name) } else { of_densenet(name) }).collect()
}

fn of_caffe(name: &str) -> String {
    let (layer, suffix) = name.rsplit_once('.').unwrap_or((name, ""));
    match CAFFE_ALEXNET.iter().find(|(caffe, _)| *caffe == layer) {
        Some((_, own)) => format!("{own}.{suffix}"),
        None => name.to_owned(),
    }
}

/// `denselayer1.norm.1.weight`, as torchvision wrote until 2018, is `denselayer1.norm1.weight`.
fn of_densenet(name: String) -> String {
    let Some((block, part)) = name.split_once(".denselayer") else { return name };
    let pieces: Vec<&str> = part.split('.').collect();
    match *pieces {
        [layer, kind @ ("norm" | "conv"), number @ ("1" | "2"), suffix] => {
            format!("{block}.denselayer{layer}.{kind}{number}.{suffix}")
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rename(names: &[&str]) -> Vec<String> {
        renamed(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn caffe_s_alexnet_gets_our_names_and_a_resnet_keeps_its_own() {
        let layers = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"];
        let caffe: Vec<String> =
            layers.iter().flat_map(|layer| [format!("{layer}.weight"), format!("{layer}.bias")]).collect();
        let backbone = lookalike_shared::domain::backbone::by_name("alexnet").unwrap();
        let own: Vec<String> = backbone.parameters(9).into_iter().map(|parameter| parameter.name).collect();
        assert_eq!(renamed(caffe), own);
        assert_eq!(rename(&["conv1.weight", "fc.weight"]), ["conv1.weight", "fc.weight"]);
    }

    #[test]
    fn old_names_of_densenets_are_joined() {
        let old = [
            "features.denseblock1.denselayer2.norm.1.running_mean",
            "features.denseblock4.denselayer16.conv.2.weight",
        ];
        let new = [
            "features.denseblock1.denselayer2.norm1.running_mean",
            "features.denseblock4.denselayer16.conv2.weight",
        ];
        assert_eq!(rename(&old), new);
        assert_eq!(rename(&new), new);
    }

    #[test]
    fn the_prefix_of_data_parallel_goes_where_every_name_has_it() {
        assert_eq!(rename(&["module.fc.weight", "module.fc.bias"]), ["fc.weight", "fc.bias"]);
        assert_eq!(rename(&["module.fc.weight", "fc.bias"]), ["module.fc.weight", "fc.bias"]);
    }
}
