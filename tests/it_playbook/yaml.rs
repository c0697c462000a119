//! What is not YAML, or YAML that playbooks do not use: one clear diagnostic each.

use std::fmt::Write;

use cutover::playbook::Diagnostics;
use cutover::playbook::tree::{self, Node, Value};

fn said(text: &str) -> String {
    let mut out = Diagnostics::default();
    tree::read("f.yaml", text, &mut out);
    out.plain()
}

#[test]
fn mistakes_in_the_notation() {
    let texts = [
        "a: [b\n",
        "a: [b, c}\n",
        "a: {b: c\n",
        "a: b: c\n",
        "key\nother: x\n",
        "a:\n\t- b\n",
        "a:\n  b: c\n d: e\n",
        "a: 'open\n",
        "a: \"\\q\"\n",
        "a: @x\n",
        "a: `x`\n",
        "a: *nowhere\n",
        "a: &a [*a]\n",
        "a: {<<: {b: c}}\n",
        "a: !point {x: 1}\n",
        "a: .inf\n",
        "a: 1\n---\nb: 2\n",
        "%YAML 3.0\n---\na: b\n",
        "a: \u{7}\n",
        "1: a\n[b]: c\nnull: d\n",
        "a: 1\nb: {c: 1, c: 2}\na: 3\n",
    ];
    let all = texts.map(|text| format!("{text:?}\n{}", said(text))).join("\n");
    insta::assert_snapshot!(all, @r#"
    "a: [b\n"
    f.yaml:1:4: error[C0001]: a `[` is never closed
      help: add the `]`

    "a: [b, c}\n"
    f.yaml:1:4: error[C0001]: a `[` cannot be closed by `}`
      help: a text that holds brackets needs quotes

    "a: {b: c\n"
    f.yaml:1:4: error[C0001]: a `{` is never closed
      help: add the `}`; a text that holds braces needs quotes

    "a: b: c\n"
    f.yaml:1:5: error[C0001]: a `:` makes a second key on this line
      help: put the text in quotes, or begin a new line

    "key\nother: x\n"
    f.yaml:2:6: error[C0001]: this key goes on from the line above
      help: the line above lacks its `:`, or this line must be indented

    "a:\n\t- b\n"
    f.yaml:2:1: error[C0007]: a tab cannot indent a line
      help: indent with spaces, two for each level

    "a:\n  b: c\n d: e\n"
    f.yaml:3:2: error[C0001]: this line is not indented like the ones above it

    "a: 'open\n"
    f.yaml:1:8: error[C0001]: a text in quotes goes on over a line that is not indented
      help: close the quote, or indent the line

    "a: \"\\q\"\n"
    f.yaml:1:4: error[C0001]: an unknown `\` escape in double quotes
      help: double the backslash, or use single quotes

    "a: @x\n"
    f.yaml:1:4: error[C0001]: a text cannot begin with `@`
      help: put it in quotes

    "a: `x`\n"
    f.yaml:1:4: error[C0001]: a text cannot begin with a back-quote
      help: put it in quotes

    "a: *nowhere\n"
    f.yaml:1:4: error[C0001]: `*` names an anchor that is not there
      help: put the text in quotes if the `*` belongs to it

    "a: &a [*a]\n"
    f.yaml:1:8: error[C0006]: aliases that hold themselves unfold into more than a playbook can hold
      help: write the values out instead of using `&` and `*`

    "a: {<<: {b: c}}\n"
    f.yaml:1:5: error[C0008]: `<<` does not merge maps here
      help: write the keys out

    "a: !point {x: 1}\n"
    f.yaml:1:4: error[C0008]: tags such as `!name` are not used here
      help: put the text in quotes if the `!` belongs to it

    "a: .inf\n"
    f.yaml:1:4: error[C0008]: a number must be finite
      help: put it in quotes if it is text

    "a: 1\n---\nb: 2\n"
    f.yaml:3:1: error[C0003]: a second document begins here
      help: one file holds one playbook: take the `---` line out or split the file

    "%YAML 3.0\n---\na: b\n"
    f.yaml:1:1: error[C0001]: this is not YAML: unsupported YAML major version

    "a: \u{7}\n"
    f.yaml:1:4: error[C0001]: a text cannot begin with `\u{7}`
      help: put it in quotes

    "1: a\n[b]: c\nnull: d\n"
    f.yaml:1:1: error[C0005]: a key must be text
      help: put the key in quotes if it is a name; a value that stands on its own needs a `-` in front
    f.yaml:2:1: error[C0005]: a key must be text
      help: put the key in quotes if it is a name; a value that stands on its own needs a `-` in front
    f.yaml:3:1: error[C0005]: a key must be text
      help: put the key in quotes if it is a name; a value that stands on its own needs a `-` in front

    "a: 1\nb: {c: 1, c: 2}\na: 3\n"
    f.yaml:2:11: error[C0004]: `c` is given twice
      help: the first one is in line 2; keep one of the two
    f.yaml:3:1: error[C0004]: `a` is given twice
      help: the first one is in line 1; keep one of the two
    "#);
}

#[test]
fn nesting_has_an_end() {
    insta::assert_snapshot!(said(&"[".repeat(500_000)), @r"
    f.yaml:1:65: error[C0006]: the file is nested too deep
      help: at most 64 levels are read
    ");
    insta::assert_snapshot!(said(&"- ".repeat(500_000)), @r"
    f.yaml:1:129: error[C0006]: the file is nested too deep or holds too many values
      help: at most 64 levels and 1000 aliases are read
    ");
    assert_eq!(said(&format!("{}{}", "[".repeat(60), "]".repeat(60))), "");
}

fn show(node: &Node, out: &mut String) {
    let at = |place: tree::Place| format!("{}:{}+{}", place.line, place.column, place.length);
    match &node.value {
        Value::Seq(nodes) => {
            writeln!(out, "seq {}", at(node.place)).expect("text");
            for node in nodes {
                show(node, out);
            }
        }
        Value::Map(entries) => {
            writeln!(out, "map {}", at(node.place)).expect("text");
            for entry in entries {
                writeln!(out, "key {} {}", entry.key.text, at(entry.key.place)).expect("text");
                show(&entry.value, out);
            }
        }
        scalar => writeln!(out, "{scalar:?} {}", at(node.place)).expect("text"),
    }
}

#[test]
fn everything_knows_its_place() {
    let text = "# head\nbool: [true, False, yes, on]\n\"ключ\": 'дом'\nnumbers: {a: 12, b: -3, c: 0x10, d: 1.50, e: 1e3, f: 007}\nnothing: [~, null, ]\ntext: |\n  one\n  two\nshared: &s {x: 1}\nagain: *s\nlist:\n- {x: [y]}\n-\n  - z\n";
    let mut out = Diagnostics::default();
    let node = tree::read("f.yaml", text, &mut out).map(|node| {
        let mut shown = String::new();
        show(&node, &mut shown);
        shown
    });
    insta::assert_snapshot!(format!("{}{}", node.unwrap_or_default(), out.plain()), @r#"
    map 2:1+0
    key bool 2:1+4
    seq 2:7+1
    Bool(true) 2:8+4
    Bool(false) 2:14+5
    Text("yes") 2:21+3
    Text("on") 2:26+2
    key ключ 3:1+6
    Text("дом") 3:9+5
    key numbers 4:1+7
    map 4:10+1
    key a 4:11+1
    Int(12) 4:14+2
    key b 4:18+1
    Int(-3) 4:21+2
    key c 4:25+1
    Int(16) 4:28+4
    key d 4:34+1
    Float(1.5) 4:37+4
    key e 4:43+1
    Float(1000.0) 4:46+3
    key f 4:51+1
    Float(7.0) 4:54+3
    key nothing 5:1+7
    seq 5:10+1
    Null 5:11+1
    Null 5:14+4
    key text 6:1+4
    Text("one\ntwo\n") 7:3+3
    key shared 9:1+6
    map 9:12+1
    key x 9:13+1
    Int(1) 9:16+1
    key again 10:1+5
    map 9:12+1
    key x 9:13+1
    Int(1) 9:16+1
    key list 11:1+4
    seq 12:3+0
    map 12:3+1
    key x 12:4+1
    seq 12:7+1
    Text("y") 12:8+1
    seq 14:3+0
    Text("z") 14:5+1
    "#);
}
