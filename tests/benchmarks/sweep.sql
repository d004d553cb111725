-- Originals 1 to all, of which those behind `finished` are open: of each owner's forty, of ten 2 are in the
-- list, 1 is at work, 1 waits for a later try, and 6 are held for their owner's turn. Not a percent sign:
-- these are Django's parameters.
INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)
SELECT 'owner-' || n, '', false, false, true, '', '', '', now()
FROM generate_series(1, %(owners)s) n;

CREATE TEMPORARY TABLE made AS
SELECT n,
    lpad(to_hex(n), 32, '0')::uuid AS id,
    (SELECT min(auth_user.id) FROM auth_user) + mod(n, %(owners)s) AS owner,
    CASE WHEN n > %(finished)s THEN mod((n - %(finished)s - 1) / %(owners)s, 10) END AS turn
FROM generate_series(1, %(all)s) n;

INSERT INTO uploads_original (id, owner_id, name, kind, bytes, sha256, key, placeholder, colour, created_at)
SELECT id, owner, n || '.jpg', 'image', 1000000, md5(n::text), 'originals/' || n, '', '', now() - n * interval '1 second'
FROM made;

-- An upload's row stays for a day.
INSERT INTO uploads_upload (id, owner_id, name, metadata, length, "offset", head, kind, key, store_id, parts, direct,
    losses, holder, original_id, created_at, expires_at)
SELECT id, owner, n || '.jpg', '', 1000000, 1000000, '', 'image', 'originals/' || n, '', '[]', false,
    0, '', id, now(), now() + interval '1 day'
FROM made WHERE mod(n, 10) = 0;

INSERT INTO processing_run (id, original_id, kind, status, progress, cancel_wish, rank, moved_at, finished_at,
    pipeline_version, error_code, error_details)
OVERRIDING SYSTEM VALUE
SELECT n, id, 'image', CASE WHEN turn IS NULL THEN 'ready' ELSE 'received' END, 1, false, 0, now(),
    CASE WHEN turn IS NULL THEN now() END, '', '', '{}'
FROM made;

INSERT INTO processing_job (run_id, step, part, queue, status, attempt, progress, worker, memory, put_back, lease_until,
    errors, crashes, losses, outages, evidence, not_before, owner_id, rank, work, held_at, queued_at, rung_at,
    error_code, error_details)
SELECT n, 'inspect', 0, 'images',
    CASE WHEN turn IS NULL THEN 'succeeded' WHEN turn < 2 THEN 'queued' WHEN turn < 3 THEN 'running' ELSE 'waiting' END,
    1, 0, 'worker', 0, 0, now() + interval '1 hour', 0, 0, 0, 0, '[]',
    CASE WHEN turn = 3 THEN now() + interval '1 hour' END, owner, 0, 1,
    CASE WHEN turn > 3 THEN now() END, now(), now() - interval '1 hour', '', '{}'
FROM made;

INSERT INTO processing_job (run_id, step, part, queue, status, attempt, progress, worker, memory, put_back,
    errors, crashes, losses, outages, evidence, owner_id, rank, work, error_code, error_details)
SELECT n, 'thumbnails', 0, 'images', CASE WHEN turn IS NULL THEN 'succeeded' ELSE 'waiting' END, 0, 0, '', 0, 0,
    0, 0, 0, 0, '[]', owner, 0, 1, '', '{}'
FROM made;

ANALYZE
