select i.id, i.name, i.created_at, i.keep_generations, g.id as "generation?", g.model_id as "model_id?",
       m.name || '@' || m.version as model,
       coalesce((select sum(p.rows)::bigint from partitions p where p.generation = g.id), 0) as "entries!"
from indexes i
left join generations g on g.index_id = i.id and g.state = 'active'
left join models m on m.id = g.model_id
where ($1::text is null or i.name = $1) and i.name > $2
order by i.name
limit $3
