-- Sets and, with null, takes away labels of a model ($1), unless more than $3 would be left.
update models m set labels = n.labels
from (select id, jsonb_strip_nulls(labels || $2) as labels from models where id = $1 for update) n
where m.id = n.id and (select count(*) from jsonb_object_keys(n.labels)) <= $3
returning m.labels
