//! Labelled sets as users have them: odd files, copies, classes that are too small; and what is kept of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder};
use lookalike_tests::{Client, Job, Options, Samples, Stack};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{learning_curve, stack_on, training};

/// A picture that no other number gives.
fn picture(number: u32) -> RgbImage {
    RgbImage::from_fn(20, 16, |x, y| Rgb([x as u8 * 9, y as u8 * 7, (number * 13 % 251) as u8]))
}

/// Writes a class of PNG files, `first` on.
fn write_class(set: &Path, class: &str, first: u32, count: u32) {
    fs::create_dir_all(set.join(class)).unwrap();
    for number in first..first + count {
        picture(number).save(set.join(class).join(format!("{number:03}.png"))).unwrap();
    }
}

/// A source `photos` whose folder `train` has 8 pictures each of `cat` and `dog`.
fn two_classes() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_class(&folder.path().join("train"), "cat", 0, 8);
    write_class(&folder.path().join("train"), "dog", 100, 8);
    folder
}

async fn stack_of(folder: &TempDir) -> Stack {
    Stack::start(Options::default().source("photos", folder.path())).await.unwrap()
}

async fn report(client: &Client, request: &Value) -> Job {
    let submitted = client.post("/v1/sources/photos/validate", request).await.unwrap();
    client.wait(submitted["id"].as_str().unwrap()).await.unwrap()
}

/// What a job's log says, line by line.
async fn log(client: &Client, job: &Job) -> Vec<String> {
    let page = client.get(&format!("/v1/jobs/{}/logs?limit=1000", job.id())).await.unwrap();
    let lines = page["items"].as_array().unwrap().iter();
    lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

async fn says(client: &Client, job: &Job, words: &str) -> bool {
    log(client, job).await.iter().any(|line| line.contains(words))
}

/// The failed pictures of a job: name and code.
async fn failed(client: &Client, job: &Job) -> Vec<(String, String)> {
    let page = client.get(&format!("/v1/jobs/{}/items?status=failed", job.id())).await.unwrap();
    let items = page["items"].as_array().unwrap().iter();
    let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
    let mut items: Vec<_> = items.map(|item| (text(item, "uri"), text(item, "code"))).collect();
    items.sort();
    items
}

/// Puts eight odd files into a class; the last four of them are pictures.
fn write_odd_files(class: &Path) {
    let whole = fs::read(class.join("000.png")).unwrap();
    let mut corrupt = whole.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle] ^= 0x55;
    fs::write(class.join("corrupt.png"), corrupt).unwrap();
    fs::write(class.join("truncated.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(class.join("text.jpg"), "no picture").unwrap();
    fs::write(class.join("empty.jpg"), "").unwrap();
    let mut cmyk = Vec::new();
    Encoder::new(&mut cmyk, 90).encode(&[90; 16 * 16 * 4], 16, 16, ColorType::Cmyk).unwrap();
    fs::write(class.join("cmyk.jpg"), cmyk).unwrap();
    GrayImage::from_fn(16, 16, |x, _| image::Luma([x as u8])).save(class.join("gray.jpg")).unwrap();
    let wide: image::ImageBuffer<Rgb<u16>, _> = image::ImageBuffer::from_pixel(9, 9, Rgb([1, 2, 60_000]));
    DynamicImage::ImageRgb16(wide).save_with_format(class.join("wide.tif"), ImageFormat::Tiff).unwrap();
    RgbImage::from_pixel(1, 1, Rgb([1, 2, 3])).save(class.join("pixel.png")).unwrap();
}

#[tokio::test]
async fn odd_files_of_a_class_are_told_by_name_and_the_training_goes_on() {
    let folder = two_classes();
    write_odd_files(&folder.path().join("train/cat"));
    let mut stack = stack_of(&folder).await;
    let client = stack.client.clone();
    let mut request = training("pets", 1);
    request.as_object_mut().unwrap().remove("image_size");
    let trained = client.run("train", &request).await.unwrap();
    let named = |name: &str, code: &str| (format!("photos/train/cat/{name}"), code.to_owned());
    let expected = [
        named("corrupt.png", "corrupt"),
        named("empty.jpg", "empty"),
        named("text.jpg", "unsupported_format"),
        named("truncated.png", "truncated"),
    ];
    assert_eq!(failed(&client, &trained).await, expected);

    let version = client.get("/v1/models/pets/1").await.unwrap();
    let dataset = &version["card"]["dataset"];
    assert_eq!(dataset["images_per_class"], json!({"cat": 12, "dog": 8}));
    assert_eq!((&dataset["unreadable"], &dataset["files"]), (&json!(4), &json!(20)));
    assert_eq!(version["image_size"], json!(96), "what suits 16 pixels is less than networks need");
    expect_file_list(&client, dataset).await;

    let told = report(&client, &json!({"prefix": "train/", "min_images_per_class": 9})).await;
    assert_eq!(failed(&client, &told).await, expected);
    let result = told.result();
    let cat = json!({"class": "cat", "files": 16, "readable": 12, "unreadable": 4});
    assert_eq!(result["classes"][0], cat);
    let codes = json!({"corrupt": 1, "empty": 1, "truncated": 1, "unsupported_format": 1});
    assert_eq!(result["unreadable_by_code"], codes);
    assert_eq!(result["suggested_image_size"], json!(96));
    assert_eq!(result["tiny_classes"], json!([{"class": "dog", "count": 8, "bound": 9}]));
    assert_eq!((&result["would_start"], result["problems"].as_array().unwrap().len()), (&json!(false), 1));
    assert_eq!(result["sizes"]["short_side"], json!({"min": 1, "median": 16, "max": 16}));
    assert!(stack.terminate().await.unwrap().success());
}

/// The list has every file once, and whoever has it can rebuild the fingerprint.
async fn expect_file_list(client: &Client, dataset: &Value) {
    let answer = client.request(Method::GET, "/v1/models/pets/1/files").send().await.unwrap();
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"pets-1.files.jsonl\"");
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let text = answer.text().await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 20);
    let mut ordered: Vec<String> = lines
        .iter()
        .map(|line| ["part", "class", "sha256"].map(|field| line[field].as_str().unwrap()).join("\t") + "\n")
        .collect();
    ordered.sort();
    let digest = Sha256::digest(ordered.concat());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(dataset["fingerprint"], json!(digits));
    let gray = lines.iter().find(|line| line["uri"] == "photos/train/cat/gray.jpg").unwrap();
    assert!(gray["size"].as_u64().unwrap() > 0 && !gray["etag"].as_str().unwrap().is_empty());
    let again = client.request(Method::GET, "/v1/models/pets/1/files").header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_class_that_is_one_picture_short_is_refused_by_name_count_and_bound() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("train");
    write_class(&set, "cat", 0, 100);
    write_class(&set, "dog", 100, 99);
    let mut stack = stack_of(&folder).await;
    let client = stack.client.clone();
    let request = json!({"model": "pets", "dataset": {"source": "photos", "prefix": "train/"}, "epochs": 1,
                         "backbone": "squeezenet1_1", "image_size": 32});
    let refused = async |found: &str| {
        let job = client.submit("train", &request).await.unwrap();
        let job = client.wait(job.id()).await.unwrap();
        let error = &job.0["error"];
        assert_eq!((job.state(), &error["code"]), ("failed", &json!("too_few_pictures")));
        let detail = error["detail"].as_str().unwrap();
        assert!(
            detail.contains(found) && detail.contains("at least 100") && !detail.contains("cat"),
            "{detail}"
        );
    };
    refused("class \"dog\" has 99 files").await;
    fs::write(set.join("dog/199.png"), "no picture").unwrap();
    refused("class \"dog\" has 99 readable pictures").await;
    let told = report(&client, &json!({"prefix": "train/"})).await;
    let problem = told.result()["problems"][0].as_str().unwrap();
    assert!(problem.contains("class \"dog\" has 99 readable pictures, at least 100"), "{problem}");

    picture(199).save(set.join("dog/199.png")).unwrap();
    let told = report(&client, &json!({"prefix": "train/"})).await;
    assert_eq!((&told.result()["would_start"], &told.result()["problems"]), (&json!(true), &json!([])));
    fs::rename(set.join("dog"), folder.path().join("dog")).unwrap();
    let alone = client.wait(client.submit("train", &request).await.unwrap().id()).await.unwrap();
    assert_eq!(alone.0["error"]["code"], json!("too_few_classes"));
    for empty in [json!({"prefix": "nowhere/"}), json!({"prefix": "train/cat"})] {
        let failed = report(&client, &empty).await;
        let detail = failed.0["error"]["detail"].as_str().unwrap();
        let place = format!("photos/{} holds no pictures in folders", empty["prefix"].as_str().unwrap());
        assert!(failed.state() == "failed" && detail.starts_with(&place), "{detail}");
    }
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn copies_within_a_class_across_classes_and_across_both_sets_are_told() {
    let folder = two_classes();
    let at = |place: &str| folder.path().join(place);
    write_class(&at("val"), "cat", 50, 2);
    write_class(&at("val"), "dog", 150, 2);
    fs::copy(at("train/cat/000.png"), at("train/cat/copy.png")).unwrap();
    fs::copy(at("train/cat/001.png"), at("train/dog/wrong.png")).unwrap();
    fs::copy(at("train/dog/100.png"), at("val/dog/leak.png")).unwrap();
    fs::copy(at("train/dog/101.png"), at("val/dog/leak2.png")).unwrap();
    let mut stack = stack_of(&folder).await;
    let client = stack.client.clone();
    let held = json!({"source": "photos", "prefix": "val/"});
    let told =
        report(&client, &json!({"prefix": "train/", "validation": held, "min_images_per_class": 8})).await;
    let found = &told.result()["duplicates"];
    let groups = |kind: &str| found[kind]["groups"].as_u64().unwrap();
    assert_eq!([groups("within_class"), groups("across_classes"), groups("train_validation")], [3, 1, 2]);
    let wrong: Vec<_> = found["across_classes"]["examples"][0].as_array().unwrap().iter().collect();
    assert_eq!(wrong[0], &json!({"uri": "photos/train/cat/001.png", "class": "cat", "part": "train"}));
    assert_eq!(wrong[1]["uri"], json!("photos/train/dog/wrong.png"));
    let leaked = &found["train_validation"]["examples"][0];
    assert_eq!((&leaked[0]["part"], &leaked[1]["part"]), (&json!("train"), &json!("validation")));
    assert_eq!(
        (&told.result()["would_start"], &told.result()["validation"]["files"]),
        (&json!(true), &json!(6))
    );
    let warnings = told.result()["warnings"].as_array().unwrap();
    assert!(warnings[0].as_str().unwrap().starts_with("2 pictures are both learnt from and judged by"));

    let mut request = training("pets", 1);
    request["validation"] = held;
    let trained = client.run("train", &request).await.unwrap();
    assert!(says(&client, &trained, "2 pictures are both learnt from and judged by").await);
    let card = client.get("/v1/models/pets/1").await.unwrap()["card"]["dataset"].clone();
    assert_eq!(card["duplicates"], json!({"within_class": 3, "across_classes": 1, "train_validation": 2}));
    assert_eq!((&card["train"], &card["validation"]), (&json!(18), &json!(6)));

    write_class(&at("val"), "bird", 200, 1);
    let told = report(&client, &json!({"prefix": "train/", "validation": request["validation"]})).await;
    let problems = told.result()["problems"].to_string();
    assert!(problems.contains("val/ has class \\\"bird\\\", which the dataset does not have"), "{problems}");
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn pictures_are_read_once_and_a_damaged_file_of_them_is_made_anew() {
    let samples = Samples::draw(6, 0, 0).await.unwrap();
    let mut stack = stack_on(&samples).await;
    let client = stack.client.clone();
    let run = async || client.run("train", &training("scenes", 2)).await.unwrap();
    let first = run().await;
    assert!(says(&client, &first, "60 files of photos/train/ read in").await);
    let second = run().await;
    assert!(says(&client, &second, "60 files of photos/train/ were read before").await);
    assert_eq!(learning_curve(&client, &first).await, learning_curve(&client, &second).await);

    let kept: Vec<_> =
        fs::read_dir(stack.data_dir().join("cache")).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(kept.len(), 1);
    let mut bytes = fs::read(kept[0].path()).unwrap();
    bytes[1_000] ^= 1;
    fs::write(kept[0].path(), bytes).unwrap();
    let third = run().await;
    assert!(says(&client, &third, "are damaged (picture 0 differs from its checksum): read anew").await);
    assert_eq!(learning_curve(&client, &first).await, learning_curve(&client, &third).await);
    let mut prints = BTreeSet::new();
    for version in 1..=3 {
        let version = client.get(&format!("/v1/models/scenes/{version}")).await.unwrap();
        prints.insert(version["card"]["dataset"]["fingerprint"].as_str().unwrap().to_owned());
    }
    assert_eq!(prints.len(), 1, "the same pictures, the same fingerprint");
    assert!(stack.terminate().await.unwrap().success());
}

#[tokio::test]
async fn a_set_beyond_the_bound_of_the_cache_is_refused_with_both_numbers() {
    let folder = two_classes();
    let options = Options::default().source("photos", folder.path()).set("LOOKALIKE_CACHE_BYTES", "100000");
    let mut stack = Stack::start(options).await.unwrap();
    let client = stack.client.clone();
    let job = client.submit("train", &training("pets", 1)).await.unwrap();
    let job = client.wait(job.id()).await.unwrap();
    assert_eq!(job.0["error"]["code"], json!("dataset_too_large"));
    let detail = job.0["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("need 1 MiB, 0 MiB are allowed (LOOKALIKE_CACHE_BYTES)"), "{detail}");
    assert!(stack.terminate().await.unwrap().success());
}
