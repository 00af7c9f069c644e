-- Whoever enqueues jobs makes those that record other changes of jobs wait, from the insert into `jobs` until the commit (see
-- record_new_jobs). So that row comes last, after the pictures that refer to it.

alter table job_pictures alter constraint job_pictures_job_id_fkey deferrable initially deferred;
