"""Titles in templated English, by topic, mood and phrasing.

A title says nothing of the image and nothing of the score. Eight topics, two moods and four
phrasings carry the law's title effect; which sentence of each is used is left to chance.
"""

from dataclasses import dataclass
from random import Random

TOPICS: dict[str, tuple[str, ...]] = {
    "family": (
        "my grandmother told me about it when I was a child",
        "my dad and my little brother were with me",
        "a present for my daughter's birthday",
        "my mother kept this in the family album",
        "three generations of our family stood here",
        "my wife and our kids picked this one",
        "for my son, who turns six this week",
        "my grandfather would have loved it",
    ),
    "work": (
        "taken on my lunch break from the office",
        "my boss saw this during the Monday meeting",
        "the last day before I quit my job",
        "from the night shift at the warehouse",
        "my coworkers hung it above the printer",
        "right after a long call with a client",
        "the first week in my new job",
        "while the whole team waited for the deadline",
    ),
    "travel": (
        "from a road trip across two countries",
        "on the train during our summer vacation",
        "somewhere between the airport and the hostel",
        "backpacking abroad with one bag",
        "the last stop of a long journey",
        "we missed our flight and found this instead",
        "day twelve of travelling with no plan",
        "a tourist map brought us here",
    ),
    "weather": (
        "minutes before the thunderstorm broke",
        "after a week of heavy rain",
        "on the coldest morning of the winter",
        "when the fog finally lifted",
        "during the worst heat wave in years",
        "the wind nearly knocked me over",
        "just as the snow began to fall",
        "between two hail showers in April",
    ),
    "hobby": (
        "my first try at this hobby",
        "made with a cheap camera from a flea market",
        "after a year of practising the craft",
        "an experiment from my photography class",
        "edited on an old laptop with free software",
        "I taught myself from video tutorials",
        "the hundredth attempt in my sketchbook of ideas",
        "built it in my garage workshop",
    ),
    "health": (
        "on my first walk after the surgery",
        "from the window of my hospital room",
        "my therapist said I should share something",
        "one year sober today",
        "after months of physical therapy",
        "between two rounds of chemo",
        "when the doctor called with the results",
        "learning to rest after the illness",
    ),
    "school": (
        "for the final exam in art class",
        "my teacher gave it a mark in red pen",
        "from our university field trip",
        "a homework project for school",
        "the students voted for this one",
        "during the lecture I should have listened to",
        "the week before graduation",
        "seen on the way to my old high school",
    ),
    "animals": (
        "my dog sat next to me the whole time",
        "our cat knocked the tripod over",
        "a stray kitten followed us here",
        "with a parrot on my shoulder",
        "the neighbour's horses watched us",
        "my puppy chewed the first print",
        "while feeding the ducks",
        "the hamster is hiding behind it",
    ),
}

MOODS: dict[int, tuple[str, ...]] = {
    1: (
        "I could not be happier",
        "best day of my life",
        "what a joy",
        "so excited to share this",
        "I can't stop smiling",
        "pure happiness",
        "feeling so grateful and alive",
        "we laughed all day",
        "such a wonderful moment",
        "I love this so much",
        "full of hope and delight",
        "celebrating with everyone I love",
    ),
    -1: (
        "I miss those days so much",
        "I feel so alone lately",
        "it broke my heart",
        "saying a sad goodbye",
        "I cried for an hour",
        "such grief and emptiness",
        "nothing feels the same since the loss",
        "a lonely and painful day",
        "I regret everything",
        "it still hurts",
        "tired, hopeless and sad",
        "mourning what is gone",
    ),
}

PHRASINGS: dict[str, tuple[str, ...]] = {
    "question": (
        "Does anyone else know this feeling: {topic}? {Mood}, is that normal?",
        "What do you think? {Topic}. {Mood}, why is that?",
        "Can someone tell me what this is? {Topic}... {mood}?",
        "Am I the only one? {Topic}, {mood}. Do you agree?",
    ),
    "tag": (
        "{Topic} [OC] [{year}] | {mood}",
        "[OC] {Topic} ({mood}) [{mm}mm, f/{f}]",
        "{Topic} | {mood} | {city}, {year} [OC]",
        "[OC] [{year}] {Topic} - {mood} - {city}",
    ),
    "story": (
        "So this happened in {month}: {topic}, and to be honest {mood}.",
        "Long story short, {topic}. It took me {n} weeks to post this, {mood}.",
        "I never thought I would post this, but {topic} and {mood}.",
        "It all began in {city} {n} years ago; {topic}, and now {mood}.",
    ),
    "exclaim": (
        "LOOK AT THIS!!! {Topic}! {Mood}!",
        "WOW! {Topic}!! {Mood}!!",
        "OMG you guys!! {Mood}! {Topic}!",
        "Absolutely insane!!! {Topic}! {Mood}!",
    ),
}

_CITIES = ("Porto", "Oslo", "Lyon", "Kyoto", "Leeds", "Quito", "Austin", "Gdansk", "Turin", "Perth")
_MONTHS = ("January", "March", "April", "June", "August", "October", "November")

TOPIC_NAMES = tuple(TOPICS)
PHRASING_NAMES = tuple(PHRASINGS)


@dataclass(frozen=True, slots=True)
class TitleIdea:
    """Indexes into TOPIC_NAMES and PHRASING_NAMES, and the mood: +1 glad, -1 sad."""

    topic: int
    mood: int
    phrasing: int


def _opening(text: str) -> str:
    return text[0].upper() + text[1:]


def write(idea: TitleIdea, rng: Random) -> str:
    """One title, at most 300 characters as on Reddit."""
    topic = rng.choice(TOPICS[TOPIC_NAMES[idea.topic]])
    mood = rng.choice(MOODS[idea.mood])
    return rng.choice(PHRASINGS[PHRASING_NAMES[idea.phrasing]]).format(
        topic=topic,
        Topic=_opening(topic),
        mood=mood,
        Mood=_opening(mood),
        year=rng.randint(2019, 2026),
        mm=rng.choice((24, 35, 50, 85)),
        f=rng.choice(("1.8", "2.8", "4")),
        city=rng.choice(_CITIES),
        month=rng.choice(_MONTHS),
        n=rng.randint(2, 9),
    )
