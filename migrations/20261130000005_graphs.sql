-- Whether a leaf has grown so large that searches of it go through a graph (HNSW), which has been built.
alter table partitions add column has_graph boolean not null default false;
