//! The words that the surface features count, by class: ASCII, lower case, whole words. The same
//! lists as `operator/pointsman_operator/learn/lexicon.py`; the golden cases hold both to one copy.
//! They are folded at compile time into an open table, so that a word costs one probe.

/// Number of word classes.
pub(crate) const CLASSES: usize = 15;

/// Index of the class `question`.
pub(crate) const QUESTION: usize = 0;
/// Index of the class `reasoning`.
pub(crate) const REASONING: usize = 1;
/// Index of the class `maths`.
pub(crate) const MATHS: usize = 2;
/// Index of the class `relation`.
pub(crate) const RELATION: usize = 3;
/// Index of the class `condition`.
pub(crate) const CONDITION: usize = 4;
/// Index of the class `imperative`.
pub(crate) const IMPERATIVE: usize = 5;
/// Index of the class `code`.
pub(crate) const CODE: usize = 6;
/// Index of the class `program`.
pub(crate) const PROGRAM: usize = 7;
/// Index of the class `authoring`.
pub(crate) const AUTHORING: usize = 8;
/// Index of the class `quantity`.
pub(crate) const QUANTITY: usize = 9;
/// Index of the class `number`.
pub(crate) const NUMBER: usize = 10;
/// Index of the class `translation`.
pub(crate) const TRANSLATION: usize = 11;
/// Index of the class `summary`.
pub(crate) const SUMMARY: usize = 12;
/// Index of the class `extraction`.
pub(crate) const EXTRACTION: usize = 13;
/// Index of the class `chat`.
pub(crate) const CHAT: usize = 14;

/// Class names and their words, in the order of the indices.
pub(crate) const LEXICON: [(&str, &str); CLASSES] = [
    ("question", "what which who whom whose when where why how many much"),
    (
        "reasoning",
        "prove proof explain derive justify compare contrast analyze analyse evaluate discuss \
         argue because therefore assume suppose implies reason reasoning step steps",
    ),
    (
        "maths",
        "compute calculate solve simplify sum product equation equations integer integers \
         probability triangle circle polynomial root roots average mean ratio angle area \
         volume remainder divided divisible multiple factor factors prime digit digits \
         sequence series matrix vector derivative integral function functions graph square \
         cube perimeter radius expression inequality modulo theorem sqrt",
    ),
    (
        "relation",
        "each every per half twice double triple times remaining left more less fewer than \
         percent percentage difference dozen pair cost costs price pays paid earns spends \
         hour hours day days week weeks month months year years minutes miles",
    ),
    (
        "condition",
        "if then else not never no none without except unless only but however until both \
         neither exactly least most",
    ),
    (
        "imperative",
        "write list give make create find tell show describe generate name provide suggest \
         implement fix determine complete express draft rewrite design build",
    ),
    (
        "code",
        "code python java javascript typescript rust golang sql html css bash regex algorithm \
         def import assert compile compiler bug debug script api json unittest refactor \
         stacktrace exception print elif lambda recursion linux git docker",
    ),
    (
        "program",
        "function functions class method program return returns string array loop variable",
    ),
    ("authoring", "write implement fix refactor debug"),
    ("quantity", "many much total altogether combined"),
    (
        "number",
        "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty \
         hundred thousand third quarter fifth",
    ),
    ("translation", "translate translates translated translating translation"),
    (
        "summary",
        "summarize summarise summarized summarised summarizing summarising summary summaries \
         tldr condense shorten abridge recap",
    ),
    (
        "extraction",
        "extract extracts extracting extraction parse entities entity fields classify \
         classifying categorize categorise invoice",
    ),
    (
        "chat",
        "hi hello hey thanks thank bye goodbye morning please you your i my me we feel love \
         like joke favorite favourite",
    ),
];

/// FNV-1a start value.
pub(crate) const HASH_START: u32 = 0x811C_9DC5;
const HASH_PRIME: u32 = 0x0100_0193;
const SLOTS: usize = 1024;

/// Takes one byte of a word, already in lower case, into its hash.
pub(crate) const fn hash_byte(hash: u32, byte: u8) -> u32 {
    (hash ^ byte as u32).wrapping_mul(HASH_PRIME)
}

/// Classes of the word with this hash, one bit each; none for an unknown word.
pub(crate) fn classes_of(hash: u32) -> u16 {
    let mut slot = slot_of(hash);
    loop {
        if TABLE.masks[slot] == 0 {
            return 0;
        }
        if TABLE.hashes[slot] == hash {
            return TABLE.masks[slot];
        }
        slot = (slot + 1) % SLOTS;
    }
}

struct Table {
    hashes: [u32; SLOTS],
    masks: [u16; SLOTS],
}

static TABLE: Table = table();

const fn slot_of(hash: u32) -> usize {
    (hash ^ (hash >> 15)) as usize % SLOTS
}

const fn table() -> Table {
    let mut table = Table { hashes: [0; SLOTS], masks: [0; SLOTS] };
    let mut class = 0;
    while class < CLASSES {
        let words = LEXICON[class].1.as_bytes();
        let (mut at, mut hash, mut length) = (0, HASH_START, 0);
        while at <= words.len() {
            if at < words.len() && words[at] != b' ' {
                hash = hash_byte(hash, words[at]);
                length += 1;
            } else if length > 0 {
                insert(&mut table, hash, 1 << class);
                (hash, length) = (HASH_START, 0);
            }
            at += 1;
        }
        class += 1;
    }
    table
}

const fn insert(table: &mut Table, hash: u32, mask: u16) {
    let mut slot = slot_of(hash);
    while table.masks[slot] != 0 && table.hashes[slot] != hash {
        slot = (slot + 1) % SLOTS;
    }
    table.hashes[slot] = hash;
    table.masks[slot] |= mask;
}
