//! How well pictures are found again: precision among the first hits and mean average precision.
//!
//! As in the paper, only one partition of the gallery is searched, that of the query's predicted class, and the
//! gallery is partitioned by predicted class too. A hit is relevant when its true class is the query's true class.

use tch::{Kind, TchError, Tensor};

use super::metrics::PrecisionAt;

/// Queries that are compared with a partition at once, to bound the matrix of distances.
const CHUNK: i64 = 256;

/// Pictures to search with or to search in.
#[derive(Debug)]
pub struct Gallery<'a> {
    /// `[N, D]`; pictures are ranked by the Euclidean distance of their rows.
    pub features: &'a Tensor,
    /// The predicted class of each.
    pub found: &'a [i64],
    /// The true class of each.
    pub labels: &'a [i64],
}

/// Retrieval figures, over all queries and by true class.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrieval {
    /// Over all queries.
    pub precision_at: PrecisionAt,
    /// Over all queries.
    pub map: f64,
    /// For the queries of each class; zeroes for a class without queries.
    pub per_class: Vec<(PrecisionAt, f64)>,
}

/// What one query scores: precision among the first 1, 5 and 10, and average precision.
type Score = [f64; 4];

/// Searches the gallery with every query.
///
/// Average precision divides by the relevant pictures of the whole gallery, so what lies in other partitions counts
/// as missed.
///
/// # Errors
/// When the device fails.
pub fn retrieval(
    queries: &Gallery<'_>,
    gallery: &Gallery<'_>,
    classes: usize,
) -> Result<Retrieval, TchError> {
    let _guard = tch::no_grad_guard();
    let mut relevant = vec![0_u32; classes];
    for &label in gallery.labels {
        relevant[label as usize] += 1;
    }
    let mut sums = vec![[0.0; 4]; classes];
    let mut counts = vec![0_u32; classes];
    for &label in queries.labels {
        counts[label as usize] += 1;
    }
    for class in 0..classes as i64 {
        let (rows, stored) = (routed(queries, class), routed(gallery, class));
        if rows.is_empty() || stored.is_empty() {
            continue;
        }
        for (row, score) in rows.iter().zip(search(queries, &rows, gallery, &stored, &relevant)?) {
            let sum = &mut sums[queries.labels[*row as usize] as usize];
            for (sum, value) in sum.iter_mut().zip(score) {
                *sum += value;
            }
        }
    }
    Ok(summary(&sums, &counts))
}

/// The pictures whose predicted class is `class`.
fn routed(pictures: &Gallery<'_>, class: i64) -> Vec<i64> {
    (0..).zip(pictures.found).filter(|(_, found)| **found == class).map(|(row, _)| row).collect()
}

fn search(
    queries: &Gallery<'_>,
    rows: &[i64],
    gallery: &Gallery<'_>,
    stored: &[i64],
    relevant: &[u32],
) -> Result<Vec<Score>, TchError> {
    let partition = select(gallery.features, stored)?;
    let labels = labels(gallery, stored, partition.device())?;
    let mut scores = Vec::with_capacity(rows.len());
    for rows in rows.chunks(CHUNK as usize) {
        let own = select(queries.features, rows)?;
        let wanted = self::labels(queries, rows, own.device())?;
        let order = Tensor::f_cdist(&own, &partition, 2.0, None)?.f_sort_stable(true, 1, false)?.1;
        let hits = labels.f_index_select(0, &order.f_flatten(0, -1)?)?.f_view_as(&order)?;
        let hits = hits.f_eq_tensor(&wanted.f_unsqueeze(1)?)?.f_to_kind(Kind::Double)?;
        let total = |row: &i64| f64::from(relevant[queries.labels[*row as usize] as usize].max(1));
        let totals: Vec<f64> = rows.iter().map(total).collect();
        scores.extend(score(&hits, &Tensor::f_from_slice(&totals)?.f_to_device(hits.device())?)?);
    }
    Ok(scores)
}

/// The scores of queries whose ranked hits are 1 where relevant, `[Q, N]`.
fn score(hits: &Tensor, totals: &Tensor) -> Result<Vec<Score>, TchError> {
    let (_, length) = hits.size2()?;
    let first = |k: i64| -> Result<Tensor, TchError> {
        let sum = hits.f_narrow(1, 0, k.min(length))?.f_sum_dim_intlist(1, false, Kind::Double)?;
        sum.f_multiply_scalar(1.0 / k as f64)
    };
    let ranks = Tensor::f_arange_start(1, length + 1, (Kind::Double, hits.device()))?;
    let precisions = hits.f_cumsum(1, Kind::Double)?.f_div(&ranks)?.f_mul(hits)?;
    let average = precisions.f_sum_dim_intlist(1, false, Kind::Double)?.f_div(totals)?;
    let table = Tensor::f_stack(&[first(1)?, first(5)?, first(10)?, average], 1)?;
    let table: Vec<Vec<f64>> = Vec::try_from(table)?;
    Ok(table.into_iter().map(|row| [row[0], row[1], row[2], row[3]]).collect())
}

fn select(features: &Tensor, rows: &[i64]) -> Result<Tensor, TchError> {
    features.f_index_select(0, &Tensor::f_from_slice(rows)?.f_to_device(features.device())?)
}

fn labels(pictures: &Gallery<'_>, rows: &[i64], device: tch::Device) -> Result<Tensor, TchError> {
    let labels: Vec<i64> = rows.iter().map(|row| pictures.labels[*row as usize]).collect();
    Tensor::f_from_slice(&labels)?.f_to_device(device)
}

fn summary(sums: &[Score], counts: &[u32]) -> Retrieval {
    let mean = |sum: Score, count: u32| {
        let [one, five, ten, map] = sum.map(|value| value / f64::from(count.max(1)));
        (PrecisionAt { one, five, ten }, map)
    };
    let mut total = [0.0; 4];
    for sum in sums {
        for (total, value) in total.iter_mut().zip(sum) {
            *total += value;
        }
    }
    let (precision_at, map) = mean(total, counts.iter().sum());
    let per_class = sums.iter().zip(counts).map(|(sum, count)| mean(*sum, *count)).collect();
    Retrieval { precision_at, map, per_class }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures on a line: place, predicted class, true class.
    fn side(pictures: &[(f32, i64, i64)]) -> (Tensor, Vec<i64>, Vec<i64>) {
        let places: Vec<f32> = pictures.iter().map(|picture| picture.0).collect();
        let found = pictures.iter().map(|picture| picture.1).collect();
        let labels = pictures.iter().map(|picture| picture.2).collect();
        (Tensor::from_slice(&places).view([-1, 1]), found, labels)
    }

    #[test]
    fn only_the_predicted_class_is_searched_and_the_true_class_counts() {
        let (features, found, labels) = side(&[
            (1.0, 0, 0),
            (2.0, 0, 1), // taken for class 0, so it is found there, and is wrong
            (3.0, 0, 0),
            (1.5, 1, 0), // lies in the other partition: missed
            (9.0, 1, 1),
        ]);
        let gallery = Gallery { features: &features, found: &found, labels: &labels };
        let (features, found, labels) = side(&[(0.0, 0, 0), (8.0, 1, 1)]);
        let queries = Gallery { features: &features, found: &found, labels: &labels };
        let result = retrieval(&queries, &gallery, 3).unwrap();
        // Query 0 finds 1 (right), 2 (wrong), 3 (right); 3 pictures are relevant, one of them elsewhere.
        let (first, average) = result.per_class[0];
        assert_eq!((first.one, first.five, first.ten), (1.0, 0.4, 0.2));
        assert!((average - (1.0 + 2.0 / 3.0) / 3.0).abs() < 1e-6);
        // Query 1 finds 9 (right) and then 1.5 (wrong); the other picture of class 1 lies elsewhere.
        let (first, average) = result.per_class[1];
        assert_eq!((first.one, first.five), (1.0, 0.2));
        assert!((average - 0.5).abs() < 1e-6);
        assert_eq!(result.precision_at.one, 1.0);
        assert_eq!(result.per_class[2], (PrecisionAt::default(), 0.0));
    }

    #[test]
    fn a_query_routed_to_an_empty_partition_scores_nothing() {
        let (features, found, labels) = side(&[(1.0, 0, 0)]);
        let gallery = Gallery { features: &features, found: &found, labels: &labels };
        let (features, found, labels) = side(&[(1.0, 0, 0), (1.0, 1, 0)]);
        let queries = Gallery { features: &features, found: &found, labels: &labels };
        assert_eq!(retrieval(&queries, &gallery, 2).unwrap().precision_at.one, 0.5);
    }
}
