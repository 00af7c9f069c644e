select s.name
from schedules s
where s.next_at <= now() or (not s.paused and s.touched_at > now() + interval '1 minute')
order by s.next_at
limit $1
for update skip locked
