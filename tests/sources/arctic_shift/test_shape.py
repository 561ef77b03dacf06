"""An answer of Arctic Shift, compared with what mmrl counts on."""

from datetime import timedelta

import pytest

from mmrl.sandbox.api import Api
from mmrl.sandbox.archive import Archive
from mmrl.sandbox.faults import Faults
from mmrl.sources.arctic_shift.shape import FIELDS, differences
from mmrl.times import from_epoch
from tests.sources.arctic_shift.test_source import NOW, archived
from tests.support.service_trial import START, busy


def test_posts_of_the_published_schema_and_of_the_sandbox_fit() -> None:
    assert differences([archived(), archived(_meta=None, created_utc=NOW.timestamp())], NOW) == []
    world = busy(20, 1)
    now = (START + timedelta(hours=60)).timestamp()
    archive = Archive(Api(world, "http://127.0.0.1:1"))
    posts = [archive.shown(post, now, Faults()) for post in world]
    assert differences([post for post in posts if post], from_epoch(now)) == []


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_gone_or_of_another_kind_is_named(name: str) -> None:
    (told,) = differences([archived(), archived(**{name: [1]})], NOW)
    assert told.startswith(f"{name} is not a ")
    assert told.endswith("in 1 of 2 posts")
    post = archived()
    del post[name]
    assert differences([post], NOW)


def test_old_posts_of_which_none_was_retrieved_again_are_told() -> None:
    (told,) = differences([archived(_meta={"is_edited": True})], NOW)
    assert told == "_meta.retrieved_2nd_on is in none of 1 posts of over 48 hours"
    assert differences([archived(_meta=None), archived()], NOW) == []
