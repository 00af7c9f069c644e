//! From what searches ask with to the vectors that are matched, for many searches together: one statement reads their
//! pictures, one looks up their indexes, and their pictures go through the network as one stream.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use lookalike_shared::db::answering::Searched;
use lookalike_shared::db::pictures::list_pictures;
use lookalike_shared::db::{self, DbError};
use lookalike_shared::domain::job::JobId;
use lookalike_shared::jobs::{Crop, Example, QueryExample, Search};
use uuid::Uuid;

use super::Miss;
use crate::dataset::picture_limits;
use crate::embedding::{Vector, embed_each};
use crate::inference::Priority;
use crate::models::StoredModel;
use crate::picture::{self, Region, decode, decode_whole, prepare, prepare_region};
use crate::runtime::context::{JobContext, JobError};

/// A search whose query is known by its vectors.
pub struct Question {
    /// What is asked.
    pub search: Search,
    /// The index as it was looked up.
    pub index: Arc<Searched>,
    /// Its generation that answers.
    pub generation: i32,
    /// That generation's model.
    pub model: Arc<StoredModel>,
    /// The query.
    pub vector: Vector,
    /// How long each step took.
    pub timings: Timings,
}

/// Milliseconds of each step. What searches do together took each of them as long.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    pub queued: f64,
    pub decode: f64,
    pub forward: f64,
    pub matching: f64,
}

pub fn elapsed_ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// A search on its way to its vectors.
struct Begun {
    search: Search,
    index: Arc<Searched>,
    generation: i32,
    model: Arc<StoredModel>,
    parts: Vec<Part>,
    timings: Timings,
}

/// A part of a query, and how much it counts.
struct Part {
    weight: f32,
    content: Content,
}

/// What is known of a part so far.
enum Content {
    /// It was uploaded and is yet to be read.
    Uploaded(Option<Crop>),
    /// A picture's file, and the part of it that counts.
    File(Vec<u8>, Option<Crop>),
    /// What the network takes: RGB, `[S, S, 3]`.
    Pixels(Vec<u8>),
    Vector(Vector),
}

/// What each of these searches asks; their pictures are read, decoded and embedded together.
pub async fn ask_together(contexts: &[JobContext]) -> Vec<Result<Question, Miss>> {
    let (mut begun, mut uploaded) =
        tokio::join!(join_all(contexts.iter().map(begin)), read_uploaded(contexts));
    for (context, begun) in contexts.iter().zip(&mut begun) {
        refuse_on_error(begun, |search| match &mut uploaded {
            Ok(uploaded) => search.take_uploaded(uploaded.remove(&context.attempt.job_id.0)),
            Err(error) => Err(JobError::from(&*error)),
        });
    }
    decode_together(contexts, &mut begun).await;
    embed_together(contexts, &mut begun).await;
    begun.into_iter().map(|begun| begun?.question()).collect()
}

/// Takes the next step of a search that is still on its way.
fn refuse_on_error(begun: &mut Result<Begun, Miss>, step: impl FnOnce(&mut Begun) -> Result<(), JobError>) {
    if let Ok(search) = begun
        && let Err(error) = step(search)
    {
        *begun = Err(error.into());
    }
}

/// Looks up the index, its model, and all that is asked with but uploaded pictures.
async fn begin(context: &JobContext) -> Result<Begun, Miss> {
    let queued = (Utc::now() - context.attempt.created_at).as_seconds_f64() * 1e3;
    let search: Search = context.payload()?;
    let index = context.services.matcher.look(search.index.as_str()).await?;
    let index = index.ok_or_else(|| DbError::not_found("index", &search.index))?;
    let (Some(generation), Some(model_id)) = (index.generation, index.model_id) else {
        let detail = format!("index \"{}\" has no active generation", search.index);
        return Err(JobError::permanent("index_empty", detail).into());
    };
    let model = context.services.models.get_by_id(model_id).await?;
    let mut parts = Vec::new();
    for QueryExample { weight, of } in search.query.parts() {
        let content = match of {
            Example::Picture { crop } => Content::Uploaded(crop),
            Example::Entry { entry_id } => {
                Content::Vector(entry_vector(context, generation, entry_id).await?)
            }
            Example::Object { source, key, crop } => {
                let limit = context.services.limits.max_picture_bytes;
                let source = context.storage().get_source(&source).map_err(JobError::from)?.clone();
                let file = source.get(&key, limit).await.map_err(JobError::from)?;
                Content::File(file.to_vec(), crop)
            }
        };
        parts.push(Part { weight, content });
    }
    let timings = Timings { queued, ..Timings::default() };
    Ok(Begun { search, index, generation, model, parts, timings })
}

async fn entry_vector(context: &JobContext, generation: i32, id: Uuid) -> Result<Vector, Miss> {
    let vectors = db::gallery::find_vectors(context.db(), generation, id).await?;
    let (probabilities, embedding) = vectors
        .ok_or_else(|| JobError::permanent("entry_not_found", format!("the index has no entry \"{id}\"")))?;
    Ok(Vector { probabilities, embedding })
}

/// The uploaded pictures of searches, each search's in order.
async fn read_uploaded(contexts: &[JobContext]) -> Result<HashMap<Uuid, VecDeque<Vec<u8>>>, DbError> {
    let asks =
        |context: &&JobContext| context.payload::<Search>().is_ok_and(|search| search.query.has_uploads());
    let jobs: Vec<JobId> = contexts.iter().filter(asks).map(|context| context.attempt.job_id).collect();
    let mut uploaded: HashMap<_, VecDeque<Vec<u8>>> = HashMap::new();
    if jobs.is_empty() {
        return Ok(uploaded);
    }
    for picture in list_pictures(&contexts[0].services.db, &jobs).await? {
        uploaded.entry(picture.job_id).or_default().push_back(picture.bytes);
    }
    Ok(uploaded)
}

/// Decodes the files of all searches, on as many threads as there are processors.
async fn decode_together(contexts: &[JobContext], begun: &mut [Result<Begun, Miss>]) {
    let Some(context) = contexts.first() else { return };
    let limits = picture_limits(&context.services.limits);
    let started = Instant::now();
    let files = begun.iter_mut().enumerate().flat_map(|(number, begun)| {
        let size = begun.as_ref().map_or(0, |search| search.model.image_size());
        let parts = begun.as_mut().map_or_else(|_| [].iter_mut(), |search| search.parts.iter_mut());
        parts.enumerate().filter_map(move |(part, Part { content, .. })| match content {
            Content::File(file, crop) => Some((number, part, size, std::mem::take(file), *crop)),
            Content::Uploaded(_) | Content::Pixels(_) | Content::Vector(_) => None,
        })
    });
    let files: Vec<_> = files.collect();
    let decoded = stream::iter(files).map(|(number, part, size, file, crop)| async move {
        let decoded = tokio::task::spawn_blocking(move || input_of(&file, crop, &limits, size));
        (number, part, decoded.await)
    });
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let decoded: Vec<_> = decoded.buffered(threads).collect().await;
    let taken = elapsed_ms(started);
    for (number, part, decoded) in decoded {
        refuse_on_error(&mut begun[number], |search| {
            let pixels = decoded.map_err(|error| JobError::retry("panic", error.to_string()))?;
            let pixels = pixels.map_err(|error| {
                let detail = format!("the picture cannot be read: {}", error.detail);
                JobError::permanent(error.code.as_str(), detail)
            })?;
            search.parts[part].content = Content::Pixels(pixels);
            search.timings.decode = taken;
            Ok(())
        });
    }
}

/// What the network takes of a picture's file, or of a part of the picture.
fn input_of(
    file: &[u8],
    crop: Option<Crop>,
    limits: &picture::Limits,
    size: u32,
) -> Result<Vec<u8>, picture::PictureError> {
    let Some(Crop { x, y, width, height }) = crop else {
        return Ok(prepare(&decode(file, limits)?, size));
    };
    Ok(prepare_region(&decode_whole(file, limits)?, Region { x, y, width, height }, size))
}

/// One pass through each model for the pictures of all searches that it answers.
async fn embed_together(contexts: &[JobContext], begun: &mut [Result<Begun, Miss>]) {
    let Some(context) = contexts.first() else { return };
    let mut models: Vec<Arc<StoredModel>> =
        begun.iter().flatten().map(|search| search.model.clone()).collect();
    models.sort_by_key(|model| model.row.id);
    models.dedup_by_key(|model| model.row.id);
    for model in models {
        let started = Instant::now();
        let (mut places, mut pixels) = (Vec::new(), Vec::new());
        for (number, begun) in begun.iter_mut().enumerate() {
            let Ok(search) = begun else { continue };
            if search.model.row.id != model.row.id {
                continue;
            }
            for (part, Part { content, .. }) in search.parts.iter_mut().enumerate() {
                if let Content::Pixels(prepared) = content {
                    places.push((number, part));
                    pixels.push(std::mem::take(prepared));
                }
            }
        }
        if pixels.is_empty() {
            continue;
        }
        let vectors = embed_each(&context.services.inference, &model, pixels, Priority::Search).await;
        let taken = elapsed_ms(started);
        let vectors = match vectors {
            Ok(vectors) => vectors,
            Err(error) => vec![Err(error); places.len()],
        };
        for ((number, part), vector) in places.into_iter().zip(vectors) {
            refuse_on_error(&mut begun[number], |search| {
                search.parts[part].content = Content::Vector(vector?);
                search.timings.forward = taken;
                Ok(())
            });
        }
    }
}

impl Begun {
    fn take_uploaded(&mut self, mut files: Option<VecDeque<Vec<u8>>>) -> Result<(), JobError> {
        for part in &mut self.parts {
            if let Content::Uploaded(crop) = part.content {
                let file = files.as_mut().and_then(VecDeque::pop_front).ok_or_else(|| {
                    JobError::permanent("picture_missing", "the search's picture is not stored any more")
                })?;
                part.content = Content::File(file, crop);
            }
        }
        Ok(())
    }

    fn question(self) -> Result<Question, Miss> {
        let Self { search, index, generation, model, parts, timings } = self;
        let weighted = parts.into_iter().map(|part| match part.content {
            Content::Vector(vector) => Ok((part.weight, vector)),
            Content::Uploaded(_) | Content::File(..) | Content::Pixels(_) => {
                Err(JobError::retry("search_broken_off", "a picture of the search was not embedded"))
            }
        });
        let vector = mean(weighted.collect::<Result<_, _>>()?)?;
        Ok(Question { search, index, generation, model, vector, timings })
    }
}

/// The weighted mean of several examples, normalised again: the embedding to length 1, negative probabilities
/// cut and the rest summing to 1.
fn mean(mut weighted: Vec<(f32, Vector)>) -> Result<Vector, JobError> {
    if weighted.len() == 1 {
        return Ok(weighted.remove(0).1);
    }
    let blend = |part: fn(&Vector) -> &Vec<f32>| {
        let length = weighted.first().map_or(0, |(_, vector)| part(vector).len());
        let mut sum = vec![0.0_f32; length];
        for (weight, vector) in &weighted {
            sum.iter_mut().zip(part(vector)).for_each(|(total, value)| *total += weight * value);
        }
        sum
    };
    let mut embedding = blend(|vector| &vector.embedding);
    let norm = embedding.iter().map(|value| value * value).sum::<f32>().sqrt();
    let mut probabilities = blend(|vector| &vector.probabilities);
    probabilities.iter_mut().for_each(|value| *value = value.max(0.0));
    let mass: f32 = probabilities.iter().sum();
    if norm <= f32::EPSILON || mass <= f32::EPSILON {
        let detail = "the examples cancel each other out; other weights leave something to look for";
        return Err(JobError::permanent("examples_cancel_out", detail));
    }
    embedding.iter_mut().for_each(|value| *value /= norm);
    probabilities.iter_mut().for_each(|value| *value /= mass);
    Ok(Vector { probabilities, embedding })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(embedding: [f32; 2], probabilities: [f32; 2]) -> Vector {
        Vector { embedding: embedding.to_vec(), probabilities: probabilities.to_vec() }
    }

    #[test]
    fn examples_are_averaged_by_weight() {
        let (a, b) = (vector([1.0, 0.0], [1.0, 0.0]), vector([0.0, 1.0], [0.0, 1.0]));
        let mixed = mean(vec![(1.0, a.clone()), (1.0, b.clone())]).unwrap();
        assert!((mixed.embedding[0] - std::f32::consts::FRAC_1_SQRT_2).abs() < 1e-6);
        assert_eq!(mixed.probabilities, [0.5, 0.5]);
        let away = mean(vec![(1.0, a.clone()), (-0.5, b)]).unwrap();
        assert!(away.embedding[1] < 0.0);
        assert_eq!(away.probabilities, [1.0, 0.0]);
        assert!(mean(vec![(1.0, a.clone()), (-1.0, a)]).is_err());
    }
}
