//! Every environment variable, listed once.

/// A variable that some part of Lookalike reads.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value when not set.
    pub default: Option<&'static str>,
    /// One sentence on what it does.
    pub help: &'static str,
}

const fn variable(name: &'static str, default: Option<&'static str>, help: &'static str) -> Variable {
    Variable { name, default, help }
}

/// Every variable, in the order of the documentation.
pub const VARIABLES: &[Variable] = &[
    variable(
        "LOOKALIKE_DATABASE_URL",
        None,
        "PostgreSQL 15+ with pgvector, hstore and pgcrypto. `up` starts a private one when not set.",
    ),
    variable(
        "LOOKALIKE_ARTIFACTS_URL",
        None,
        "Weights and uploads: file:///folder, s3://bucket/prefix, gs://... or az://... `up` uses its data folder when not set.",
    ),
    variable(
        "LOOKALIKE_DATA_DIR",
        None,
        "The data folder of `up`; `lookalike` in the user's folder for data when not set.",
    ),
    variable(
        "LOOKALIKE_POSTGRES_DIR",
        None,
        "Where `up` finds bin/postgres; what the bootstrap or the installation laid out when not set.",
    ),
    variable(
        "LOOKALIKE_SOURCES",
        None,
        "Sources to read pictures from, NAME=URL, separated by commas: a folder, file://, s3://, gs:// or az://. Credentials and endpoints come from AWS_*, GOOGLE_* and AZURE_* variables.",
    ),
    variable(
        "LOOKALIKE_SOURCES_FILE",
        None,
        "A file of sources beside these: JSON, {NAME: {url, options}}, with the options of object_store.",
    ),
    variable(
        "LOOKALIKE_SOURCE_<NAME>_<OPTION>",
        None,
        "An option of one source, over those of all: NAME in capitals with _ for -, OPTION of object_store, e.g. LOOKALIKE_SOURCE_PHOTOS_AWS_ENDPOINT, _ALLOW_HTTP, _CONNECT_TIMEOUT, _READ_TIMEOUT, or MAX_RETRIES and RETRY_TIMEOUT_MS.",
    ),
    variable("LOOKALIKE_LISTEN", Some("127.0.0.1:8080"), "Address and port of the API and the dashboard."),
    variable(
        "LOOKALIKE_ADMIN_KEY",
        None,
        "The first key, scope admin, for `lookalike api`; `up` makes one and writes it to DATA_DIR/admin.key.",
    ),
    variable(
        "LOOKALIKE_SECURE_COOKIES",
        Some("false"),
        "Set to true behind TLS: session cookies then travel over HTTPS only.",
    ),
    variable("LOOKALIKE_DEVICE", Some("auto"), "The worker's device: auto, cpu, cuda or cuda:N."),
    variable(
        "LOOKALIKE_ENGINE",
        Some("auto"),
        "What runs networks on a CPU: auto (the fastest, measured for every model), torch or openvino.",
    ),
    variable(
        "LOOKALIKE_QUEUES",
        Some("train,index,search,maintenance"),
        "The queues a worker takes jobs from.",
    ),
    variable(
        "LOOKALIKE_LEASE_SECONDS",
        Some("10"),
        "A worker not heard of for this long has lost its jobs to the others.",
    ),
    variable("LOOKALIKE_GRACE_SECONDS", Some("25"), "How long a worker may take to stop gracefully."),
    variable("LOOKALIKE_EXIT_WITH_PARENT", Some("false"), "A worker stops when its standard input closes."),
    variable("LOOKALIKE_MAX_PICTURE_BYTES", Some("33554432"), "The most bytes of one picture."),
    variable(
        "LOOKALIKE_MAX_PICTURE_PIXELS",
        Some("100000000"),
        "The most pixels of one picture, checked before it is decoded.",
    ),
    variable(
        "LOOKALIKE_MAX_UPLOAD_BYTES",
        Some("2147483648"),
        "The most bytes of one upload or imported file of weights.",
    ),
    variable(
        "LOOKALIKE_CACHE_DIR",
        None,
        "Where a worker keeps decoded pictures for the next training on them; `cache` in the data folder of `up`, else `lookalike-cache` in the folder for temporary files, when not set.",
    ),
    variable(
        "LOOKALIKE_CACHE_BYTES",
        Some("21474836480"),
        "The most bytes of decoded pictures that are kept; those not used for longest leave first. A training needs room for all of its pictures.",
    ),
    variable(
        "LOOKALIKE_RESIDENT_BYTES",
        None,
        "The most bytes of partitions that a worker holds in memory, where it searches them fastest and exactly; a quarter of the machine's memory, or the container's, when not set. What does not fit is searched by the database.",
    ),
    variable(
        "LOOKALIKE_GRAPH_FROM",
        Some("250000"),
        "Entries from which on a partition gets a graph (HNSW), through which PostgreSQL searches it much faster and nearly exactly; 0: never.",
    ),
    variable("LOOKALIKE_KEEP_JOBS_HOURS", Some("720"), "How long finished jobs are kept."),
    variable(
        "LOOKALIKE_KEEP_SEARCHES_HOURS",
        Some("24"),
        "How long finished searches and their pictures are kept.",
    ),
    variable("LOOKALIKE_KEEP_EVENTS_HOURS", Some("168"), "How long events are kept for streams that resume."),
    variable("LOOKALIKE_KEEP_SAMPLES_HOURS", Some("24"), "How long samples of queues and devices are kept."),
    variable(
        "LOOKALIKE_URL",
        None,
        "The server that client commands talk to; that of `up`'s data folder when not set.",
    ),
    variable(
        "LOOKALIKE_KEY",
        None,
        "The key that client commands send; that of `up`'s data folder when not set.",
    ),
    variable("LOOKALIKE_LOG", Some("info"), "What is logged, e.g. info,lookalike_worker=debug."),
    variable("LOOKALIKE_LOG_FORMAT", Some("text"), "text or json."),
];

/// The content of `.env.example`.
pub fn env_example() -> String {
    let mut text = String::from("# Settings of Lookalike. Generated by `make gen`; see README.md.\n");
    for Variable { name, default, help } in VARIABLES {
        text += &format!("\n# {help}\n#{name}={}\n", default.unwrap_or_default());
    }
    text
}

/// The README's table of settings.
pub fn markdown_table() -> String {
    let mut text = String::from("| variable | default | meaning |\n| --- | --- | --- |\n");
    for Variable { name, default, help } in VARIABLES {
        let default = default.map_or(String::new(), |value| format!("`{value}`"));
        text += &format!("| `{name}` | {default} | {help} |\n");
    }
    text
}
