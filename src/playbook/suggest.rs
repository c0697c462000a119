//! "Did you mean": the nearest of the words that would have been right.

/// The candidate that `word` was probably meant to be, if one is near enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Why: comparing takes time and memory with the length, and nobody misspells a word of this length.
    if word.len() > 200 {
        return None;
    }
    let lower = word.to_lowercase();
    // Why: one slip per three letters; a looser bound proposes words that have nothing to do with the one that was written.
    let bound = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= bound || similar_start(&lower, candidate))
        .min_by_key(|(distance, candidate)| (*distance, strsim::damerau_levenshtein(word, candidate)))
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?`, or else what there is.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone, there_is: &str) -> String {
    match nearest(word, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("{there_is}: {}", list(candidates)),
    }
}

/// The words in back-quotes, separated by commas; `none` when there are none.
pub fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn similar_start(word: &str, candidate: &str) -> bool {
    word.len() >= 4 && candidate.to_lowercase().starts_with(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let kinds = ["create_topic", "register_schema", "note"];
        assert_eq!(nearest("create_topik", kinds), Some("create_topic"));
        assert_eq!(nearest("Note", kinds), Some("note"));
        assert_eq!(nearest("register", kinds), Some("register_schema"));
        assert_eq!(nearest("drop_column", kinds), None);
        assert_eq!(did_you_mean("x", kinds, "there are"), "there are: `create_topic`, `register_schema`, `note`");
    }
}
