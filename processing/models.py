"""The rows that are the truth: Run, Job, Rendition, Notice, Mailbox. A Job is the one state machine."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from processing.clocks import is_ago, is_over
from processing.errors import sentence_for

LEASE = timedelta(seconds=30)  # three missed heartbeats of 10 s, or a stop-the-world of half a minute
LONGEST_PAUSE = timedelta(minutes=2)  # before another try; it is 36 s at most


class RunStatus(models.TextChoices):
    RECEIVED = "received", "received"  # kept, and no worker has begun
    PROCESSING = "processing", "processing"  # a worker has begun
    READY = "ready", "ready"  # everything owed is made
    FAILED = "failed", "failed"  # something cannot be made, and says why
    CANCELED = "canceled", "canceled"  # somebody said so

    @classmethod
    def final(cls) -> tuple[Self, ...]:
        return (cls.READY, cls.FAILED, cls.CANCELED)


class JobStatus(models.TextChoices):
    WAITING = "waiting", "waiting"  # for another step, or for its next try
    QUEUED = "queued", "queued"  # for a worker
    RUNNING = "running", "running"  # a worker holds its lease
    SUCCEEDED = "succeeded", "succeeded"  # its renditions exist
    FAILED = "failed", "failed"  # an editor can read why, and retry
    CANCELED = "canceled", "canceled"  # nobody wants it any longer


# What has succeeded waits again when one of its renditions is missing or too old (`runner.reprocess`),
# and what is in line when a step that it needs is owed again. What has nothing to do succeeds as it waits (`idle`).
COMES_FROM = {
    JobStatus.WAITING: (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED),
    JobStatus.QUEUED: (JobStatus.WAITING,),
    JobStatus.RUNNING: (JobStatus.QUEUED,),
    JobStatus.SUCCEEDED: (JobStatus.WAITING, JobStatus.RUNNING),
    JobStatus.FAILED: (JobStatus.RUNNING,),
    JobStatus.CANCELED: (JobStatus.WAITING, JobStatus.QUEUED, JobStatus.RUNNING),
}
OPEN = (JobStatus.WAITING, JobStatus.QUEUED, JobStatus.RUNNING)
NO_WAY_ON = (JobStatus.FAILED, JobStatus.CANCELED)
# A job that has not been tried, except that its attempts go on growing: they are the fence.
FRESH: dict[str, Any] = {
    "errors": 0,
    "crashes": 0,
    "losses": 0,
    "outages": 0,
    "evidence": [],
    "not_before": None,
    "progress": 0,
    "error_code": "",
    "error_details": {},
}


HELD = models.Q(status=JobStatus.WAITING, held_at__isnull=False)


class ErrorRecorded(models.Model):
    """A failure as a stable code and the details that fill its sentence."""

    error_code = models.CharField(max_length=32, blank=True)
    error_details = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True

    @property
    def error_message(self) -> str:
        """The sentence an editor reads, in English; empty where nothing failed."""
        return str(sentence_for(self.error_code, self.error_details) % self.error_details) if self.error_code else ""


class Run(ErrorRecorded):
    """An original's passage through its pipeline, and the only summary of it.

    `advance` alone writes it, in the same transaction as the jobs it sums up.
    """

    original = models.OneToOneField("uploads.Original", models.CASCADE, related_name="run")
    kind = models.CharField(max_length=5)
    status = models.CharField(max_length=10, choices=RunStatus, default=RunStatus.RECEIVED)
    progress = models.FloatField(default=0)
    cancel_wish = models.BooleanField(default=False)
    rank = models.BigIntegerField(default=0)  # lower goes first; below 0 an editor has moved it to the front
    moved_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)  # for the first time: from then on there is something to show
    # `pipelines.version` of when it last had everything; empty where it never had
    pipeline_version = models.CharField(max_length=12, blank=True)

    first_jobs: "Sequence[Job]" = ()  # as `runner.start` left them, on the run that it gave

    class Meta:
        permissions = [
            ("see_all_runs", "May see every original and how far it is"),
            ("mend_runs", "May retry, cancel and delete what others uploaded"),
            ("see_queues", "May see queues and workers"),
        ]
        indexes = [
            models.Index(fields=["status", "-id"], name="run_by_status"),
            models.Index(fields=["kind", "-id"], name="run_by_kind"),
            models.Index(fields=["error_code", "-id"], name="run_by_error"),
            models.Index(fields=["kind", "pipeline_version", "id"], name="run_by_version"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} ({self.status})"

    @property
    def is_shown(self) -> bool:
        """Whether it belongs in the gallery: it has ended, or is made again while what was made is there."""
        return self.status in RunStatus.final() or self.ready_at is not None

    @classmethod
    def locked(cls, run_id: int) -> Self:
        """The run, held by this transaction until its end, so that one `advance` goes at a time.

        Not with its original, which is read afterwards: joined, PostgreSQL would give it as it was before we waited.
        """
        return cls.objects.select_for_update().get(pk=run_id)


class JobQuerySet(models.QuerySet["Job"]):
    def lost(self) -> Self:
        """Jobs whose worker has not renewed its lease."""
        return self.filter(is_over("lease_until", 2 * LEASE), status=JobStatus.RUNNING)

    def due(self) -> Self:
        """Waiting jobs whose time before the next try is over."""
        return self.filter(is_over("not_before", LONGEST_PAUSE), status=JobStatus.WAITING)

    def late(self) -> Self:
        """Jobs that the clock keeps waiting."""
        return self.filter(not_before__isnull=False).exclude(is_over("not_before", LONGEST_PAUSE))

    def held(self) -> Self:
        """Waiting jobs that nothing but their owner's window keeps from the list."""
        return self.filter(HELD)

    def unanswered(self, after: timedelta) -> Self:
        """Queued jobs whose message was sent so long ago that a free worker would have begun."""
        return self.filter(is_ago("rung_at", after), status=JobStatus.QUEUED)


class LightManager(models.Manager["Job"]):
    """Leaves traces in the database until somebody asks for it: a page or a summary reads hundreds of jobs."""

    def get_queryset(self) -> models.QuerySet["Job"]:
        return super().get_queryset().defer("traces")


JobManager = LightManager.from_queryset(JobQuerySet)


class Job(ErrorRecorded):
    """One step (and part) owed to one original.

    `attempt` is the fence: it grows at every claim, and every later change names the attempt it
    believes in, so that a worker that was given up can change nothing.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="jobs")
    step = models.CharField(max_length=20)
    part = models.PositiveIntegerField(default=0)
    plan = models.JSONField(null=True)  # the Part it works on; None where the step has none, or nobody has cut yet
    pieces = models.JSONField(null=True)  # what it has left for another step; None where nothing is kept any longer
    queue = models.CharField(max_length=20)
    status = models.CharField(max_length=10, choices=JobStatus, default=JobStatus.WAITING)
    attempt = models.PositiveIntegerField(default=0)
    progress = models.FloatField(default=0)
    worker = models.CharField(max_length=200, blank=True)
    memory = models.PositiveBigIntegerField(default=0)  # bytes it stated when it was claimed
    put_back = models.PositiveSmallIntegerField(default=0)  # times it did not fit beside what a worker had in hand
    lease_until = models.DateTimeField(null=True)
    errors = models.PositiveSmallIntegerField(default=0)  # times it raised something of ours
    crashes = models.PositiveSmallIntegerField(default=0)  # times it took its worker down
    losses = models.PositiveSmallIntegerField(default=0)  # times its worker vanished, for whatever reason
    evidence = models.JSONField(default=list, blank=True)  # of each crash and loss: see `last_words.evidence`
    outages = models.PositiveSmallIntegerField(default=0)  # times a store or a disk did not serve it
    not_before = models.DateTimeField(null=True)  # backoff: when the next try is due
    # Whose it is and how it ranks (`lines.rank`): said when it is owed, so that lines are read by index.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+", db_index=False)
    rank = models.BigIntegerField(default=0)
    work = models.FloatField(null=True)  # in its step's unit; null as long as nobody has measured the original
    held_at = models.DateTimeField(null=True)  # since when it could begin, but for its owner's window
    queued_at = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)  # when its message was last sent
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # What the last attempt's programs were told, said and took: see `engines.traces`; None where none was seen.
    traces = models.JSONField(null=True)

    objects: ClassVar[Any] = JobManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step", "part"], name="one_job_per_step")]
        indexes = [
            models.Index(fields=["queue", "queued_at"], name="job_queued", condition=models.Q(status="queued")),
            models.Index(fields=["lease_until"], name="job_running", condition=models.Q(status="running")),
            models.Index(fields=["worker"], name="job_in_hand", condition=models.Q(status="running")),
            models.Index(fields=["not_before"], name="job_waiting", condition=models.Q(status="waiting")),
            models.Index(fields=["finished_at"], name="job_ended", condition=models.Q(finished_at__isnull=False)),
            models.Index(fields=["owner", "queue"], name="job_in_list", condition=models.Q(status="queued")),
            models.Index(fields=["owner", "queue", "rank", "run", "id"], name="job_held", condition=HELD),
        ]

    def __str__(self) -> str:
        return f"job {self.pk} ({self.step} {self.part}, {self.status}, attempt {self.attempt})"

    @property
    def is_held(self) -> bool:
        """Whether nothing but its owner's window keeps it from the list."""
        return self.status == JobStatus.WAITING and self.held_at is not None

    def move(self, to: JobStatus, **changes: Any) -> bool:
        """Move in one UPDATE. False: not allowed from here, or somebody has moved it since we read it."""
        mine = Job.objects.filter(pk=self.pk, attempt=self.attempt, status=self.status)
        moved = self.status in COMES_FROM[to] and mine.update(status=to, **changes) == 1
        if moved:  # a loser keeps its stale status and attempt, so it can never move the job again
            self.refresh_from_db()
        return bool(moved)

    def claim(self, worker: str, memory: int = 0) -> bool:
        """Take a queued job: a new attempt, held by a lease. False: it is not there to be taken."""
        return self.move(
            JobStatus.RUNNING,
            attempt=self.attempt + 1,
            worker=worker,
            memory=memory,
            put_back=0,
            lease_until=Now() + LEASE,
            started_at=Now(),
            finished_at=None,
            progress=0,
            error_code="",
            error_details={},
            traces=None,
        )

    def owe_again(self, **changes: Any) -> bool:
        """Let it wait once more, with all its tries; a worker that holds it loses it."""
        return self.move(JobStatus.WAITING, **FRESH, **changes)

    def renew(self, progress: float, **changes: Any) -> bool:
        """Keep the lease and say how far it is. False: the job is not ours any longer."""
        mine = Job.objects.filter(pk=self.pk, attempt=self.attempt, status=JobStatus.RUNNING)
        return bool(mine.update(lease_until=Now() + LEASE, progress=progress, **changes) == 1)

    @property
    def seconds(self) -> float | None:
        """How long the last attempt took, where it has ended."""
        if not (self.started_at and self.finished_at):
            return None
        return float((self.finished_at - self.started_at).total_seconds())


class Speed(models.Model):
    """What the jobs of one step on one queue have taken lately. See `estimates.Measure`."""

    queue = models.CharField(max_length=20)
    step = models.CharField(max_length=20)
    pace = models.FloatField()  # seconds per unit of work
    work = models.FloatField()  # units of a typical job
    jobs = models.PositiveIntegerField(default=0)  # measured so far

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "step"], name="one_speed_per_step")]

    def __str__(self) -> str:
        return f"{self.step} on {self.queue}: {self.pace:.3g} s per unit"


class Rendition(models.Model):
    """A finished file made from an original. The row exists only if the file is complete.

    A preset of several files is known by the one whose `name` is empty; the others are its companions.
    """

    original = models.ForeignKey("uploads.Original", models.CASCADE, related_name="renditions")
    preset = models.CharField(max_length=40)
    name = models.CharField(max_length=40, blank=True, db_default="")
    version = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=200)
    content_type = models.CharField(max_length=40)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    duration = models.FloatField(null=True)
    bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["original", "preset", "name"], name="one_rendition_per_file"),
            models.UniqueConstraint(fields=["key"], name="one_rendition_per_key"),
        ]

    def __str__(self) -> str:
        return f"{self.preset} {self.name}".strip() + f" of {self.original_id}"


class SavedView(models.Model):
    """What an editor narrows the desk to again and again, as the query of its address."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="one_view_per_name")]

    def __str__(self) -> str:
        return self.name


class Notice(models.Model):
    """A mail owed to an owner about one outcome of one original."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="notices")
    outcome = models.CharField(max_length=10, choices=RunStatus)
    owed_at = models.DateTimeField(db_default=Now())
    mail = models.UUIDField(null=True)  # the one it was put in, with others of its owner's
    claimed_at = models.DateTimeField(null=True)  # a lease: a claim that was not kept is made again
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "outcome"], name="one_notice_per_outcome")]
        indexes = [
            models.Index(fields=["owed_at"], name="notice_owed", condition=models.Q(sent_at=None)),
            models.Index(fields=["mail"], name="notice_mail", condition=models.Q(sent_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} of run {self.run_id}"


class Mailbox(models.Model):
    """How somebody wants our mails: in which language, and whether at all."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="mailbox")
    language = models.CharField(max_length=10, default=settings.LANGUAGE_CODE)
    is_wanted = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "mailboxes"

    def __str__(self) -> str:
        return f"{self.user_id} in {self.language}"
