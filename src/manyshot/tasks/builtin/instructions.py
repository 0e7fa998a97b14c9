"""What the tasks of each rule say before their first example, by part. A rule lives in the parts that it has words for.

{label0}, {kind0}, ... stand for a task's own. Rules that need demonstrations have no such places: their instructions
are the same whatever the answers are.
"""

from manyshot.tasks.builtin.lexicon import Part

INSTRUCTIONS: dict[str, dict[Part, tuple[str, ...]]] = {
    # classification
    "kind_of_thing": {
        "train": ("Give the mark of the thing.", "Which group is it in?", "Sort the thing."),
        "dev": ("Choose the right heap.",),
        "held_out": ("Name the class.",),
    },
    "topic": {
        "train": ("Give the topic of the sentence.", "What is it about? Use the code.", "Put the sentence in its box."),
        "held_out": ("Name the subject.",),
    },
    "mood": {
        "train": ("Give the mark of the sentence.", "How does it sound? Use the code.", "Rate the sentence."),
        "dev": ("Choose the right tone.",),
        "held_out": ("Name the feeling.",),
    },
    "negation": {
        "train": ("Mark the sentence.", "Which of the two is it?", "Sort the sentence."),
    },
    "kind_by_place": {
        "train": ("Give the mark of the pair.", "Which code fits the sentence?", "Sort the two things."),
    },
    "told_kind": {
        "train": (
            "Say {label0} for {kind0} and {label1} for {kind1}.",
            "If the thing is {kind0}, the mark is {label0}. If it is {kind1}, the mark is {label1}.",
            "{label0} means {kind0}, {label1} means {kind1}. What is the thing?",
        ),
        "held_out": ("Reply {label0} when it names {kind0}, reply {label1} when it names {kind1}.",),
    },
    "same_kind": {
        "train": ("Mark the pair.", "Compare the two things.", "What do you say to this pair?"),
    },
    "length": {
        "held_out": ("Name the class of the line.", "Judge the line.", "One of two names is right here."),
    },
    "twice": {
        "held_out": ("Check the line.", "Name the type of row.", "Inspect these and report."),
    },
    "size": {
        "dev": ("Choose the right tag.", "Tag what you see.", "Pick its tag from the others."),
    },
    # nli
    "in_the_list": {
        "train": (
            "Does the second sentence follow from the first? Say {label0} for yes and {label1} for no.",
            "Say {label0} if the last sentence is true and {label1} if it is not.",
            "Mark true claims {label0} and false claims {label1}.",
        ),
        "dev": ("Choose {label0} when the end agrees with the start, otherwise choose {label1}.",),
        "held_out": ("Reply {label0} when the first part proves the second, reply {label1} when it cannot.",),
    },
    "colour_fact": {
        "train": ("Compare the two sentences.", "How do the sentences fit?", "Mark the second sentence."),
        "held_out": ("Relate both statements.",),
    },
    "kind_follows": {
        "train": ("Mark the claim.", "Look at both sentences and give the code.", "What about the second sentence?"),
        "held_out": ("Judge the statement at the end.",),
    },
    "before_after": {
        "train": (
            "Do both sentences say the same? Say {label0} for yes and {label1} for no.",
            "If the second sentence is right, the mark is {label0}. If not, the mark is {label1}.",
            "Give {label0} to sentences that agree and {label1} to sentences that do not.",
        ),
    },
    "price_claim": {
        "held_out": ("Assess the final statement.", "Report on this offer.", "Name the verdict."),
    },
    "both_neither": {
        "held_out": ("Name the relation.", "Compare start and end, then reply.", "Assess what is stated last."),
    },
    # qa
    "who_has": {
        "train": ("Answer the question.", "Read and answer with a name.", "Tell who it is."),
        "dev": ("Choose the person asked for.",),
        "held_out": ("Reply with the owner.",),
    },
    "where_is": {
        "train": ("Answer the question with a place.", "Tell where it is.", "Find the place."),
        "held_out": ("Reply with the location.",),
    },
    "word_at_place": {
        "train": ("Give a word of the list.", "Which word is it?", "Take the right word."),
        "held_out": ("Extract the item.",),
    },
    "word_of_kind": {
        "train": ("Give the word that is meant.", "Find the word.", "Which of these?"),
        "dev": ("Choose from the three.",),
        "held_out": ("Extract the one wanted.",),
    },
    "beside_colour": {
        "train": ("Find the right word.", "Take a word.", "Which word of the line?"),
    },
    "role": {
        "train": ("Give a word of the sentence.", "Take out the word.", "Which word of the sentence?"),
        "held_out": ("Extract the detail.",),
    },
    "two_hops": {
        "held_out": (
            "Reply with the location of that person.",
            "Work out the location from who is together.",
            "State the location.",
        ),
    },
    "odd_one_out": {
        "held_out": (
            "Name the item that differs from the rest.",
            "Which item does not belong to the others?",
            "Extract the odd item.",
        ),
    },
    # summarization
    "main_part": {
        "train": ("Leave out the reason.", "Say it short, without the reason.", "Keep what happened, not why."),
        "held_out": ("Summarise the event only.",),
    },
    "title": {
        "train": ("Give the text a title.", "Find a title.", "What is the title?"),
        "dev": ("Choose a heading.",),
        "held_out": ("Name the headline.",),
    },
    "keywords": {
        "train": ("Give two key words.", "Make it two words.", "Write it very short."),
        "held_out": ("Summarise with two terms.",),
    },
    "one_sentence": {
        "train": ("Make it one sentence.", "Give the sentence that counts.", "Make the text short."),
    },
    "plain_phrase": {
        "train": (
            "Leave out the words that describe.",
            "Say it in plain words, without colours and the like.",
            "Make it short: no describing words.",
        ),
        "dev": ("Choose only the words that are needed and drop each adjective.",),
    },
    "who_did_it": {
        "held_out": (
            "Summarise who did what.",
            "Begin with the person and omit the adjective.",
            "Report the action, starting from its actor.",
        ),
    },
    "all_names": {
        "held_out": ("Summarise by names.", "List what matters.", "Condense the report."),
    },
    # math
    "earned": {
        "train": ("How many coins are there?", "Add the coins.", "Give the sum."),
        "held_out": ("Compute the total.",),
    },
    "left_over": {
        "train": ("How many coins are left?", "Take away the coins that are gone.", "Give the rest of the coins."),
        "dev": ("Choose the amount that remains.",),
    },
    "count_words": {
        "train": ("How many words are there?", "Count the words.", "Give the number of words."),
        "held_out": ("Compute the length of the row.",),
    },
    "count_kind": {
        "train": ("Count.", "Give the number.", "How many are there?"),
        "held_out": ("Compute the figure.",),
    },
    "price_change": {
        "train": ("Give the new price.", "How many coins now?", "What is the price now?"),
        "dev": ("Choose a fair price.",),
        "held_out": ("Compute the next price.",),
    },
    "who_has_more": {
        "train": ("Who has more coins?", "Give the name of the richer one.", "Compare the coins and name the winner."),
    },
    "end_of_prices": {
        "train": ("Give one price.", "Which price is it?", "Find the price."),
    },
    "next_number": {
        "held_out": ("Continue the series.", "Compute the following number.", "State what comes next in the series."),
    },
    "how_often": {
        "held_out": ("Compute the number wanted.", "Report one figure.", "State the count."),
    },
}
"""Rule -> part -> instructions, one a surface."""
