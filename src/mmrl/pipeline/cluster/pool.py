"""A stage's actors: started, given work, watched, and replaced when they die."""

from collections.abc import Callable
from typing import Any

from mmrl.errors import Failure, first_line
from mmrl.pipeline.cluster.actor import Job
from mmrl.pipeline.cluster.line import Chunk, Line
from mmrl.pipeline.stage import Results

ACTOR_CHUNKS = 2  # chunks that an actor has at once: it reads one while it works on the other
_MOST_DEATHS = 20  # of actors in a row, with nothing done between them; halving takes up to 13
_MOST_UNBORN = 4  # of those that never started: it is not the work that they die of
_LOOK_SECONDS = 5.0


class Pool:
    """The actors of one stage.

    Args:
        make: makes an actor in Ray.
        idle: actors of an earlier stage, to begin with; those of this one are put back there.
        job: what they are to do.
        actors: how many there shall be.
        patience: seconds to wait for a first one.
        replaces: another one is made where one died; otherwise the run ends.
        lacking: says what the cluster lacks, for the error when none starts.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        idle: list[Any],
        job: Job,
        actors: int,
        patience: float,
        *,
        replaces: bool,
        lacking: Callable[[], str],
    ) -> None:
        self._make = make
        self._idle = idle
        self._job = job
        self._patience = patience
        self._replaces = replaces
        self._lacking = lacking
        self._deaths = 0
        self._born = False  # one has started
        self._starting: dict[Any, Any] = {}  # Ray's reference to its start, and the actor
        self._ready: list[Any] = []
        for _ in range(actors):
            self._add()
        # Chunks on their way: some are done, and wait for others before them.
        self.room = (ACTOR_CHUNKS + 1) * actors

    def give(self, line: Line) -> None:
        """Hands out the chunks that nobody has, in order, as long as actors have room.

        A chunk that an actor died on is given to one that has nothing else.
        """
        for chunk in line.chunks:
            if chunk.answer is None and not chunk.spent:
                actor = self._free(line, alone=chunk.deaths > 0)
                if actor is None:
                    return
                work = actor.work.options(num_returns=2)
                chunk.actor, (chunk.answer, chunk.results) = actor, work.remote(chunk.rows)

    def take(self, chunk: Chunk, line: Line) -> Results | None:
        """What came of a chunk that is done; None where it was lost with its actor.

        Raises:
            Exception: what the worker raised.
        """
        import ray

        if chunk.error is not None:
            raise chunk.error
        try:
            results = ray.get(chunk.results)
        except ray.exceptions.RayError as error:
            self._lose(chunk.actor, line, error)
            return None
        self._deaths = 0
        return results

    def wait(self, line: Line) -> None:
        """Until an actor has started, or a chunk is done, or either is lost."""
        import ray

        answers = {
            chunk.answer: chunk
            for chunk in line.chunks
            if chunk.answer is not None and not chunk.done
        }
        there, _ = ray.wait(
            [*answers, *self._starting],
            timeout=_LOOK_SECONDS if self._ready else self._patience,
        )
        if not there and not self._ready:
            raise Failure(
                f"No actor started in {self._patience:g} s (ray.start_seconds): {self._lacking()}."
            )
        for answer in there:
            if answer in self._starting:
                self._started(answer, line)
            elif answers[answer].answer is answer:  # else it was taken back, with its actor
                self._answered(answers[answer], line)

    def close(self, line: Line) -> None:
        """Puts the actors back that have nothing to do, and ends the others with what they do."""
        import ray

        busy = {chunk.actor for chunk in line.chunks}
        for actor in [*self._ready, *self._starting.values()]:
            if actor in busy:
                ray.kill(actor)
            else:
                self._idle.append(actor)

    def _free(self, line: Line, alone: bool) -> Any:
        """The actor with the least to do, where one has room."""
        busy = dict.fromkeys(self._ready, 0)
        for chunk in line.chunks:
            if chunk.actor in busy and not chunk.done:
                busy[chunk.actor] += ACTOR_CHUNKS if chunk.deaths else 1
        least = min(busy, key=lambda actor: busy[actor], default=None)
        if least is None or busy[least] >= (1 if alone else ACTOR_CHUNKS):
            return None
        return least

    def _add(self) -> None:
        actor = self._idle.pop() if self._idle else self._make()
        self._starting[actor.start.remote(self._job)] = actor

    def _started(self, answer: Any, line: Line) -> None:
        import ray

        actor = self._starting.pop(answer)
        try:
            ray.get(answer)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            self._lose(actor, line, error)
        else:
            self._ready.append(actor)
            self._born = True

    def _answered(self, chunk: Chunk, line: Line) -> None:
        import ray

        try:
            chunk.seconds = ray.get(chunk.answer)
        except ray.exceptions.RayTaskError as error:  # told when it is the chunk's turn
            chunk.error = error.cause
        except ray.exceptions.RayError as error:
            self._lose(chunk.actor, line, error)
            return
        chunk.done = True
        ray.wait([chunk.results], timeout=0)  # begins to bring it here

    def _lose(self, actor: Any, line: Line, error: Exception) -> None:
        import ray

        told = f"{type(error).__name__}: {first_line(error)}"
        line.lose(actor, told)
        if actor in self._ready:
            self._ready.remove(actor)
        ray.kill(actor)  # of some losses only the answer was lost
        self._deaths += 1
        if not self._replaces:
            raise Failure(
                f"An actor of Ray died ({told}), and what it had spent of caption_server.budget is "
                "not known: run again for the rest."
            )
        if self._deaths >= (_MOST_DEATHS if self._born else _MOST_UNBORN):
            raise Failure(
                f"{self._deaths} actors of Ray died in a row with nothing done ({told}): look into "
                "Ray's logs on their machines. With too little memory for a model, fewer actors "
                "on a machine (ray.cpus_per_actor) or a smaller ray.batch help."
            )
        self._add()
