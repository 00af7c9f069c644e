use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lookalike_shared::config::Limits;
use lookalike_shared::db::pictures;
use lookalike_shared::db::queue::{self, Ending, Finish};
use lookalike_shared::domain::job::JobId;
use lookalike_shared::testing::{a_worker, an_entry, commit_entries, start};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Reply, Send, TestApp, png};

/// A service with an empty index `gallery`, and that index's generation.
async fn with_gallery(limits: Limits) -> (TestApp, i32) {
    let app = TestApp::start_with(limits).await;
    app.import("scenes", &["bowl", "teapot"]).await;
    let generation = app.make_index("gallery", "scenes").await;
    (app, generation)
}

fn picture(bytes: &[u8]) -> Part {
    Part::bytes(bytes.to_vec()).file_name("query.png")
}

fn id_of(job: &Value) -> JobId {
    JobId(job["id"].as_str().unwrap().parse().unwrap())
}

async fn stored(app: &TestApp, job: &Value) -> Vec<(f32, Vec<u8>)> {
    let rows = pictures::list_pictures(&app.db.pool, &[id_of(job)]).await.unwrap();
    rows.into_iter().map(|row| (row.weight, row.bytes)).collect()
}

async fn search(app: &TestApp, mut body: Value) -> Reply {
    body["index"] = json!("gallery");
    app.post("/v1/jobs/search", body).await
}

#[tokio::test]
async fn a_form_stores_its_picture_and_waits_when_asked_to() {
    let (app, _) = with_gallery(Limits::default()).await;
    let form = || {
        Form::new()
            .text("index", "gallery")
            .text("k", "5")
            .text("probes", "all")
            .text("rank_by", "probabilities")
            .text("min_similarity", "0.25")
            .text("filter", r#"{"class": ["teapot"], "metadata": {"a": 1}}"#)
            .text("labels", r#"{"team": "x"}"#)
            .text("priority", "7")
            .part("image", picture(&png(4, 4)))
    };
    let job = app.post_form("/v1/jobs/search", form()).await.expect(StatusCode::ACCEPTED);
    assert_eq!(
        job["params"],
        json!({"index": "gallery", "query": {"by": "picture"}, "k": 5, "probes": "all", "rank_by": "probabilities",
               "filter": {"class": ["teapot"], "metadata": {"a": 1}}, "min_similarity": 0.25})
    );
    assert_eq!((&job["priority"], &job["labels"]), (&json!(7), &json!({"team": "x"})));
    assert_eq!(stored(&app, &job).await, [(1.0, png(4, 4))]);

    let waiting = app.request(Method::POST, "/v1/jobs/search").header("prefer", "wait=30").multipart(form());
    let (answer, ()) = tokio::join!(waiting.reply(), finish_the_other(&app, id_of(&job)));
    assert_eq!(answer.header("preference-applied"), "wait=30");
    let done = answer.expect(StatusCode::OK);
    assert_eq!((&done["state"], &done["result"]), (&json!("succeeded"), &json!({"hits": []})));
}

/// Plays the worker for the one search that is not `known`: waits for it, starts it, ends it.
async fn finish_the_other(app: &TestApp, known: JobId) {
    let mut listener = lookalike_shared::db::PgListener::connect_with(&app.db.pool).await.unwrap();
    listener.listen(lookalike_shared::db::EVENTS_CHANNEL).await.unwrap();
    let job = loop {
        let listed = app.get("/v1/jobs?kind=search").await.expect(StatusCode::OK);
        let ids = listed["items"].as_array().unwrap().iter().map(id_of);
        if let Some(id) = ids.into_iter().find(|id| *id != known) {
            break id;
        }
        tokio::time::timeout(Duration::from_secs(10), listener.recv()).await.unwrap().unwrap();
    };
    let worker = a_worker(&app.db.pool).await;
    let attempt = start(&app.db.pool, job, worker).await;
    let finish = Finish { job_id: job, fence: attempt.fence, ending: Ending::Succeeded(json!({"hits": []})) };
    assert_eq!(queue::finish_jobs(&app.db.pool, &[finish]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_picture_travels_in_base64_too() {
    let (app, _) = with_gallery(Limits::default()).await;
    let text = BASE64_STANDARD.encode(png(4, 4));
    for text in
        [text.clone(), format!("data:image/png;base64,{text}"), format!("{}\n{}", &text[..8], &text[8..])]
    {
        let job = search(&app, json!({"image_base64": text})).await.expect(StatusCode::ACCEPTED);
        assert_eq!((&job["params"]["k"], &job["params"]["query"]), (&json!(20), &json!({"by": "picture"})));
        assert_eq!(stored(&app, &job).await, [(1.0, png(4, 4))]);
    }
}

#[tokio::test]
async fn several_pictures_have_weights() {
    let (app, _) = with_gallery(Limits::default()).await;
    let (a, b) = (BASE64_STANDARD.encode(png(1, 1)), BASE64_STANDARD.encode(png(2, 2)));
    let examples = json!([{"image_base64": a}, {"image_base64": b, "weight": -0.5}]);
    let job = search(&app, json!({"examples": examples})).await.expect(StatusCode::ACCEPTED);
    let expected = [(1.0, png(1, 1)), (-0.5, png(2, 2))];
    assert_eq!(stored(&app, &job).await, expected);
    let query = json!({"by": "examples", "examples": [{"weight": 1.0}, {"weight": -0.5}]});
    assert_eq!(job["params"]["query"], query);

    let form = || {
        Form::new()
            .text("index", "gallery")
            .part("image", picture(&png(1, 1)))
            .part("image", picture(&png(2, 2)))
    };
    let job = app
        .post_form("/v1/jobs/search", form().text("weights", "[1, -0.5]"))
        .await
        .expect(StatusCode::ACCEPTED);
    assert_eq!((stored(&app, &job).await, &job["params"]["query"]), (expected.to_vec(), &query));
    let told = app.post_form("/v1/jobs/search", form().text("weights", "[1]")).await.broken_rule();
    assert_eq!(told, "/weights: 1 weights for 2 pictures");
    let told = app.post_form("/v1/jobs/search", form().text("weights", "[-1, -1]")).await.broken_rule();
    assert_eq!(told, "/examples: at least one weight above 0 is needed");
}

#[tokio::test]
async fn examples_are_pictures_entries_and_objects_of_which_parts_may_count() {
    let (app, generation) = with_gallery(Limits::default()).await;
    let entry = an_entry("photos/a.png", 0, &[0.5, 0.5], &[0.0; 512]);
    let mut tx = app.db.pool.begin().await.unwrap();
    commit_entries(&mut tx, generation, std::slice::from_ref(&entry), Uuid::now_v7()).await;
    tx.commit().await.unwrap();
    app.photo("queries/q.png", &png(1, 1));
    let crop = json!({"x": 0.25, "y": 0.0, "width": 0.5, "height": 1.0});
    let examples = json!([
        {"image_base64": BASE64_STANDARD.encode(png(4, 4)), "crop": crop},
        {"entry_id": entry.id, "weight": 2.0},
        {"source": "photos", "key": "queries/q.png", "weight": -1.0, "crop": crop},
    ]);
    let body =
        json!({"examples": examples, "filter": {"uri_prefix": "photos/"}, "collapse_duplicates": true});
    let job = search(&app, body).await.expect(StatusCode::ACCEPTED);
    let params = &job["params"];
    assert_eq!(
        params["query"]["examples"],
        json!([
            {"weight": 1.0, "of": {"by": "picture", "crop": crop}},
            {"weight": 2.0, "of": {"by": "entry", "entry_id": entry.id}},
            {"weight": -1.0, "of": {"by": "object", "source": "photos", "key": "queries/q.png", "crop": crop}},
        ])
    );
    assert_eq!(params["filter"], json!({"uri_prefix": "photos/"}));
    assert_eq!(params["collapse_duplicates"], json!(true));
    assert_eq!(stored(&app, &job).await, [(1.0, png(4, 4))]);

    let form = Form::new()
        .text("index", "gallery")
        .text("crop", crop.to_string())
        .text("collapse_duplicates", "true")
        .part("image", picture(&png(4, 4)));
    let job = app.post_form("/v1/jobs/search", form).await.expect(StatusCode::ACCEPTED);
    assert_eq!(job["params"]["query"], json!({"by": "picture", "crop": crop}));
    assert_eq!(job["params"]["collapse_duplicates"], json!(true));

    for (examples, rule) in [
        (json!([{}]), "/examples/0: exactly one of"),
        (json!([{"entry_id": Uuid::nil()}]), "/examples/0/entry_id: index \"gallery\" has no entry"),
        (json!([{"entry_id": entry.id, "crop": crop}]), "/examples/0/crop: an entry is known by its vectors"),
        (json!([{"source": "photos"}]), "/examples/0/key: an object is named by source and key together"),
        (json!([{"source": "none", "key": "a"}]), "/examples/0/source: there is no source \"none\""),
    ] {
        let told = search(&app, json!({"examples": examples})).await.broken_rule();
        assert!(told.starts_with(rule), "{told}");
    }
    let one = json!([{"entry_id": entry.id}]);
    let told = search(&app, json!({"examples": one, "crop": crop})).await.broken_rule();
    assert_eq!(told, "/crop: of several pictures each has its own: in examples");
}

#[tokio::test]
async fn entries_and_objects_must_exist() {
    let (app, generation) = with_gallery(Limits::default()).await;
    let entry = an_entry("photos/a.png", 0, &[0.5, 0.5], &[0.0; 512]);
    let mut tx = app.db.pool.begin().await.unwrap();
    commit_entries(&mut tx, generation, std::slice::from_ref(&entry), Uuid::now_v7()).await;
    tx.commit().await.unwrap();
    let job = search(&app, json!({"entry_id": entry.id})).await.expect(StatusCode::ACCEPTED);
    assert_eq!(job["params"]["query"], json!({"by": "entry", "entry_id": entry.id}));
    app.photo("queries/q.png", &png(1, 1));
    let job =
        search(&app, json!({"source": "photos", "key": "queries/q.png"})).await.expect(StatusCode::ACCEPTED);
    assert_eq!(job["params"]["query"], json!({"by": "object", "source": "photos", "key": "queries/q.png"}));

    for (body, rule) in [
        (json!({"entry_id": Uuid::nil()}), "/entry_id: index \"gallery\" has no entry"),
        (
            json!({"source": "photos", "key": "none.png"}),
            "/key: source \"photos\" has no object \"none.png\"",
        ),
        (json!({"source": "none", "key": "a.png"}), "/source: there is no source \"none\""),
        (json!({"source": "photos"}), "/key: an object is named by source and key together"),
        (json!({"key": "a.png"}), "/source: an object is named by source and key together"),
    ] {
        let told = search(&app, body).await.broken_rule();
        assert!(told.starts_with(rule), "{told}");
    }
    let escape = search(&app, json!({"source": "photos", "key": "../artifacts/x"})).await;
    escape.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
}

#[tokio::test]
async fn a_search_looks_for_exactly_one_thing() {
    let (app, _) = with_gallery(Limits::default()).await;
    for (body, found) in [
        (json!({}), "none of them"),
        (json!({"image_base64": "AAAA", "entry_id": Uuid::nil()}), "image_base64, entry_id"),
        (json!({"examples": [], "source": "photos", "key": "a"}), "source with key, examples"),
    ] {
        let told = search(&app, body).await.broken_rule();
        assert!(told.starts_with(": exactly one of") && told.ends_with(&format!("found: {found}")), "{told}");
    }
    let form = Form::new().text("index", "gallery").text("entry_id", Uuid::nil().to_string());
    let told = app.post_form("/v1/jobs/search", form.part("image", picture(&png(1, 1)))).await.broken_rule();
    assert!(told.ends_with("found: image, entry_id"), "{told}");
}

#[tokio::test]
async fn what_breaks_rules_is_told_with_a_pointer() {
    let (app, _) = with_gallery(Limits::default()).await;
    let good = BASE64_STANDARD.encode(png(1, 1));
    for (field, value, rule) in [
        ("image_base64", json!("!!!"), "/image_base64: no base64: invalid symbol"),
        (
            "image_base64",
            json!(BASE64_STANDARD.encode("<html>")),
            "/image_base64: no picture starts with \"<html>\"",
        ),
        ("image_base64", json!(""), "/image_base64: the picture is empty"),
        (
            "image_base64",
            json!(BASE64_STANDARD.encode(png(100_000, 100_000))),
            "/image_base64: the picture has 100000 x 100000 pixels",
        ),
        ("k", json!(0), "/k: 0 is out of range"),
        ("k", json!(1001), "/k: 1001 is out of range"),
        ("probes", json!("some"), "/probes: \"some\" is no valid probes value"),
        ("rank_by", json!("colour"), "/rank_by: unknown variant `colour`"),
        ("min_similarity", json!(2), "/min_similarity: 2 is out of range"),
        ("probes", json!(1.5), "/probes: \"1.5\" is no valid probes value"),
        ("filter", json!({"clas": []}), "/filter/clas: unknown field `clas`"),
        (
            "crop",
            json!({"x": 0.5, "y": 0, "width": 0.6, "height": 1}),
            "/crop/width: 0.6 is out of range: above 0, and from 0.5 on within 1 expected",
        ),
        ("crop", json!({"x": 0, "y": 0, "width": 1, "height": 0}), "/crop/height: 0 is out of range"),
        ("crop", json!({"x": -0.1, "y": 0, "width": 1, "height": 1}), "/crop/x: -0.1 is out of range"),
        ("crop", json!({"x": 0}), "/crop/y: missing field `y`"),
        ("collapse_duplicates", json!("yes"), "/collapse_duplicates: invalid type"),
        ("filter", json!({"class": ["bowl", "cup"]}), "/filter/class/1: scenes@1 has no class \"cup\""),
        ("hits", json!(3), "/hits: unknown field `hits`"),
        ("scheduled_at", json!("soon"), "/scheduled_at: "),
    ] {
        let mut body = json!({"image_base64": good});
        body[field] = value;
        let told = search(&app, body).await.broken_rule();
        assert!(told.starts_with(rule), "{told}");
    }
    let form = Form::new().text("index", "gallery").text("k", "many").part("image", picture(&png(1, 1)));
    let told = app.post_form("/v1/jobs/search", form).await.broken_rule();
    assert!(told.starts_with("/k: invalid type: string \"many\""), "{told}");
    let form = Form::new().text("index", "gallery").part("image", picture(b"GIF9 is near it"));
    let told = app.post_form("/v1/jobs/search", form).await.broken_rule();
    assert!(told.starts_with("/image: no picture starts with"), "{told}");
}

#[tokio::test]
async fn a_picture_over_the_limit_is_refused_with_the_limit() {
    let (app, _) = with_gallery(Limits { max_picture_bytes: 1_000, ..Limits::default() }).await;
    let mut large = png(1, 1);
    large.resize(1_001, 0);
    let body = json!({"image_base64": BASE64_STANDARD.encode(&large)});
    let replies = [
        search(&app, body).await,
        app.post_form("/v1/jobs/search", Form::new().text("index", "gallery").part("image", picture(&large)))
            .await,
    ];
    for refused in replies {
        refused.refusal(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large");
        assert!(refused.json()["detail"].as_str().unwrap().contains("1000 bytes"), "{}", refused.json());
    }
    large.truncate(900);
    let form =
        Form::new().text("index", "gallery").part("image", picture(&large)).part("image", picture(&large));
    let refused = app.post_form("/v1/jobs/search", form.part("image", picture(&large))).await;
    refused.refusal(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_told_apart() {
    let (app, _) = with_gallery(Limits::default()).await;
    let send = |kind: &str, body: &str| {
        app.request(Method::POST, "/v1/jobs/search")
            .header("content-type", kind)
            .body(body.to_owned())
            .reply()
    };
    send("application/json", "{").await.refusal(StatusCode::BAD_REQUEST, "malformed_request");
    send("text/plain", "x").await.refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
    send("multipart/form-data; boundary=x", "nothing")
        .await
        .refusal(StatusCode::BAD_REQUEST, "malformed_request");
    send("multipart/form-data", "--x--").await.refusal(StatusCode::BAD_REQUEST, "malformed_request");
    send("application/json", "[]").await.refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
}
