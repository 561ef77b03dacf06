"""The merge stage: what is pending, what it writes, and that it does nothing twice."""

from mmrl import samples
from mmrl.catalog import Catalog
from mmrl.config import FilterSettings, LabelSettings, Settings
from tests.support.samples_catalog import START, at, merge, observation, post, write

END = at(10_000)
IMAGELESS = Settings(filter=FilterSettings(require_image=False))


def reasons(catalog: Catalog) -> dict[str, str | None]:
    rows = catalog.read("samples", ["post_id", "unlabelled"]).to_pylist()
    return {row["post_id"]: row["unlabelled"] for row in rows}


def test_a_second_run_finds_nothing_and_writes_nothing(catalog: Catalog) -> None:
    posts = [post("a", 0), post("b", 1)]
    write(catalog, posts, [observation(posts[0], 40, score=1), observation(posts[1], 1, score=1)])
    assert merge(catalog, END) == 2
    versions = catalog.versions()
    assert merge(catalog, END) == 0
    assert catalog.versions() == versions


def test_a_post_is_pending_once_it_is_selected_and_has_an_image_in_either_order(
    catalog: Catalog,
) -> None:
    p = post("p", 0)
    write(catalog, [p], [])
    image, selected = catalog.read("post_images"), catalog.read("selection")
    for first, second in ((image, selected), (selected, image)):
        for table in ("post_images", "selection", "samples"):
            catalog.delete(table, "true")
        catalog.insert("post_images" if first is image else "selection", first)
        assert merge(catalog, END) == 0
        catalog.insert("post_images" if second is image else "selection", second)
        assert merge(catalog, END) == 1


def test_where_no_image_is_required_a_post_has_its_row_without_and_again_with_its_image(
    catalog: Catalog,
) -> None:
    p, q = post("p", 0), post("q", 0)
    write(catalog, [p, q], [observation(p, 40, score=1), observation(q, 40, score=2)])
    image = catalog.read("post_images", where="post_id = 'p'")
    catalog.delete("post_images", "true")
    assert merge(catalog, END) == 0
    catalog.upsert("selection", catalog.read("selection"))  # as the filter does, its rules changed
    assert merge(catalog, END, IMAGELESS) == 2
    rows = samples.load(catalog, IMAGELESS, END).to_pylist()
    assert [row["score"] for row in rows] == [1, 2]
    assert [row["log_image_pixels"] for row in rows] == [None, None]
    assert [row["log_title_words"] is None for row in rows] == [False, False]
    assert merge(catalog, END, IMAGELESS) == 0
    catalog.insert("post_images", image)
    assert merge(catalog, END, IMAGELESS) == 1
    rows = samples.load(catalog, IMAGELESS, END).to_pylist()
    assert [row["log_image_pixels"] is None for row in rows] == [False, True]
    assert merge(catalog, END, IMAGELESS) == 0


def test_rows_without_an_image_are_not_samples_once_one_is_required_again(
    catalog: Catalog,
) -> None:
    posts = [post("p", 0), post("q", 1)]
    write(catalog, posts, [])
    catalog.delete("post_images", "post_id = 'q'")
    assert merge(catalog, END, IMAGELESS) == 2
    assert samples.load(catalog, Settings(), END)["post_id"].to_pylist() == ["p"]
    assert merge(catalog, END) == 0


def test_a_row_without_a_label_is_made_again_when_a_mature_observation_comes(
    catalog: Catalog,
) -> None:
    p, q = post("p", 0), post("q", 0)
    write(catalog, [p, q], [observation(p, 1, score=1), observation(q, 1, score=1)])
    merge(catalog, at(2))
    assert reasons(catalog) == {"p": "too_young", "q": "too_young"}
    write(catalog, [], [observation(p, 24, score=2), observation(q, 24, score=2)])
    assert merge(catalog, at(24)) == 0
    write(catalog, [], [observation(p, 36, score=3)])
    assert merge(catalog, at(36)) == 1
    assert reasons(catalog) == {"p": None, "q": "too_young"}
    write(catalog, [], [observation(p, 48, score=4)])
    assert merge(catalog, at(48)) == 0


def test_an_old_post_whose_score_never_settled_says_so(catalog: Catalog) -> None:
    p = post("p", 0)
    write(catalog, [p], [observation(p, 50, score=1, settled=False)])
    merge(catalog, END)
    assert reasons(catalog) == {"p": "score_not_settled"}
    write(catalog, [], [observation(p, 60, score=2)])
    assert merge(catalog, END) == 1
    assert reasons(catalog) == {"p": None}


def test_a_first_look_that_comes_after_the_row_is_taken_in(catalog: Catalog) -> None:
    p = post("p", 0)
    write(catalog, [p], [])
    merge(catalog, END)
    write(catalog, [], [observation(p, 1, score=1)])
    assert merge(catalog, END) == 1
    assert samples.load(catalog, Settings(), END)["subscribers"].to_pylist() == [1000]


def test_rows_made_by_other_rules_are_made_again(catalog: Catalog) -> None:
    p = post("p", 0)
    write(catalog, [p], [observation(p, 24, score=1), observation(p, 36, score=2)])
    merge(catalog, END)
    younger = Settings(label=LabelSettings(mature_after_hours=24))
    assert merge(catalog, END, younger) == 1
    assert samples.load(catalog, younger, END)["score"].to_pylist() == [1]


def test_rows_that_were_deleted_are_found_missing(catalog: Catalog) -> None:
    posts = [post("a", 0), post("b", 1)]
    write(catalog, posts, [])
    merge(catalog, END)
    catalog.delete("samples", "post_id = 'a'")
    assert merge(catalog, END) == 1


def test_joining_small_files_makes_nothing_pending(catalog: Catalog) -> None:
    for number in range(25):
        p = post(f"p{number:02}", number)
        write(catalog, [p], [observation(p, 40, score=1)])
    merge(catalog, END)
    catalog.compact()
    assert merge(catalog, END) == 0
    p = post("new", 99)
    write(catalog, [p], [observation(p, 40, score=1)])
    assert merge(catalog, END) == 1


def test_a_stage_that_was_killed_before_its_last_commit_goes_on(catalog: Catalog) -> None:
    from mmrl.pipeline.stages.merge import MergeStage

    posts = [post(f"p{number}", number) for number in range(6)]
    write(catalog, posts, [])
    stage = MergeStage(Settings())
    pending = stage.pending(catalog, END)
    chunk = pending.slice(0, 4)
    stage.commit(catalog, stage.worker(END)(stage.load(catalog, chunk)).done, END)
    assert merge(catalog, END) == 2
    assert sorted(reasons(catalog)) == [f"p{number}" for number in range(6)]


def test_a_post_whose_image_is_not_described_still_has_its_row(catalog: Catalog) -> None:
    p = post("p", 0)
    write(catalog, [p], [])
    catalog.delete("images", "true")
    merge(catalog, END)
    (row,) = samples.load(catalog, Settings(), END).to_pylist()
    assert row["log_image_pixels"] is None
    assert row["created_at"] == START


def test_features_come_from_the_earliest_observation_whatever_the_order_they_were_kept_in(
    catalog: Catalog,
) -> None:
    p = post("p", 0)
    observations = [
        observation(p, 2, subscribers=2, author_link_karma=20),
        observation(p, 1, subscribers=1),
    ]
    write(catalog, [p], [*observations, observation(p, 36, subscribers=3, score=1)])
    merge(catalog, END)
    (row,) = samples.load(catalog, Settings(), END).to_pylist()
    assert row["subscribers"] == 1
    assert row["log_author_link_karma"] is None


def test_an_author_of_whom_only_the_name_is_known_has_a_history(catalog: Catalog) -> None:
    nameless = {"author_id": None}
    posts = [
        post("first", 0, **nameless, author_name="Ada"),
        post("second", 100, **nameless, author_name="ada"),
        post("nobody", 100, **nameless, author_name=None),
    ]
    write(catalog, posts, [observation(p, age, score=7) for p in posts for age in (0.5, 40)])
    merge(catalog, END)
    rows = {row["post_id"]: row for row in samples.load(catalog, Settings(), END).to_pylist()}
    assert rows["second"]["author_id"] == "u/ada"
    assert rows["second"]["author_seen_before"] == 1
    assert rows["nobody"]["author_id"] is None
    assert rows["nobody"]["author_seen_before"] is None
