// Writes tokenizer_parity.json: a small byte-level BPE as Hugging Face's own library writes it, and what that library makes
// of texts that are hard to cut. Run again with: npm install tokenizers@0.23.2 && node make_tokenizer_parity.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { BPE, Tokenizer, byteLevelPreTokenizer, byteLevelAlphabet } from "tokenizers";

// Counter-based, so that nothing depends on the order of calls.
function uniform(index) {
    let z = (index + 1) * 0x9e3779b9 >>> 0;
    z = Math.imul(z ^ z >>> 16, 0x21f0aaad) >>> 0;
    z = Math.imul(z ^ z >>> 15, 0x735a2d97) >>> 0;
    return ((z ^ z >>> 15) >>> 0) / 2 ** 32;
}

// Plain words and code merge into longer tokens: enough to exercise ranks, runs and overlaps.
const merges = ["Ġ t", "h e", "Ġt he", "i n", "Ġ Ġ", "ĠĠ ĠĠ", "r e", "o n", "e r", "Ġ a", "l l", "' s", "' t", "t h", "th e",
                "a a", "aa aa", "a b", "ab ab", "Ġ s", "Ġs el", "s el", "sel f", "Ġsel f", "Ċ ĠĠ", "Ċ Ċ", "= =", "== ==",
                "1 2", "12 3", "Ã ©", "Ġ Ã©", "ä ¸", "ä¸ Ń", "d e", "de f", "n d", "Ġa nd", "Ġ self"].map(m => m.split(" "));
const vocabulary = {};
for (const character of byteLevelAlphabet().sort()) { vocabulary[character] = Object.keys(vocabulary).length; }
const usable = merges.filter(([left, right]) => {
    if (!(left in vocabulary && right in vocabulary)) { return false; }
    if (!(left + right in vocabulary)) { vocabulary[left + right] = Object.keys(vocabulary).length; }
    return true;
});
const tokenizer = new Tokenizer(BPE.init(vocabulary, usable));
tokenizer.setPreTokenizer(byteLevelPreTokenizer(false));
tokenizer.addSpecialTokens(["<|endoftext|>"]);

const texts = [
    "", " ", "  ", "\n", "\n\n\n", "the", " the and then", "don't we'll they've I'm he'd you're it's", "DON'T 'S 'x ''s '' 's",
    "def f(self):\n    return self.the\n\n\nclass A:\n\tpass   \n", "a  b   c    ", "x=123 y=12345 1a2b", "==========", "aaaaaaaaaaa",
    "abababab ababa", "été Été été", "中文中文 中", "x² ½ Ⅳ ٣", "a\u00a0b\u2003 c\u3000\u3000d\u0085e\u2028\u2029f\u200bg\ufeffh", "\x1c\x1f\x0b\x0c\r\n \r\n",
    "👍🏽 👩‍👩‍👧 ❤️", "e\u0301 a\u0308 \u0301", "हिन्दी ไทย العربية עברית", "ǅ ʰ ª º ﬁ", "_private __dunder__ $var #tag @at", "  'the  's", "\t\tthe\t the", "end \n", "end  \n  ",
];
let draw = 0;
const pools = [" '\n\t  'strevlmdaabhin", "the self and 12 3==", "\u0085\u00a0\u1680\u2028\u202f\u205f\u3000\u200b\x1c\x0b ", "éÉ²½中ǅʰ👍Ⅳ٣\u0301 "];
for (let i = 0; i < 60; ++i) {
    let text = "";
    while (text.length < 40) {
        const pool = [...pools[Math.floor(uniform(draw++) * pools.length)]];
        text += uniform(draw++) < 0.8 ? pool[Math.floor(uniform(draw++) * pool.length)]
                                      : String.fromCodePoint(Math.floor(0x20 + uniform(draw++) * 0x3000));
    }
    texts.push(text);
}
const cases = [];
for (const text of texts) {
    cases.push({ text, ids: (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds() });
}
tokenizer.save("tokenizer_parity.json");
const saved = JSON.parse(readFileSync("tokenizer_parity.json", "utf8"));
writeFileSync("tokenizer_parity.json", JSON.stringify({ tokenizer: saved, cases }) + "\n");
