use proptest::prelude::*;

use super::*;
use crate::budget::CostError;
use crate::object::Object;

fn refusal(bytes: &[u8]) -> String {
    read(bytes, &Budget::plain(bytes.len())).unwrap_err().to_string()
}

/// A pickle of protocol 4 with `body` between its first and its last opcode.
fn pickle(body: &[u8]) -> Vec<u8> {
    [b"\x80\x04", body, b"."].concat()
}

#[test]
fn plain_values_are_read() {
    let bytes = pickle(b"(K\x05J\xff\xff\xff\xffM\x00\x01\x8a\x02\x00\x80N\x88G?\xf0\0\0\0\0\0\0\x8c\x02hit");
    let budget = Budget::plain(bytes.len());
    let graph = read(&bytes, &budget).unwrap();
    let parts: Vec<_> = graph.sequence(graph.root).unwrap().iter().map(|&id| graph.get(id)).collect();
    assert!(matches!(
        parts[..],
        [
            Object::Int(5),
            Object::Int(-1),
            Object::Int(256),
            Object::Int(-32768),
            Object::None,
            Object::Bool(true),
            Object::Float(1.0),
            Object::Text(text),
        ] if text == "hi"
    ));
}

#[test]
fn a_later_key_of_a_dict_wins() {
    let bytes = pickle(b"}(\x8c\x01aK\x01\x8c\x01aK\x02u");
    let budget = Budget::plain(bytes.len());
    let graph = read(&bytes, &budget).unwrap();
    assert_eq!(graph.entry(graph.root, "a").and_then(|id| graph.int(id)), Some(2));
}

#[test]
fn calls_to_anything_else_are_refused_by_name() {
    assert_eq!(
        refusal(b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R."),
        "class os.system is not part of an isolation forest, no code of the file was run"
    );
    assert_eq!(
        refusal(&pickle(b"\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R")),
        "class builtins.eval is not part of an isolation forest, no code of the file was run"
    );
    let control = refusal(b"\x80\x02c\x1b[31m\nsystem\n.");
    assert!(control.starts_with("class ?[31m.system "), "{control}");
}

#[test]
fn only_a_class_is_called() {
    assert_eq!(refusal(&pickle(b"\x8c\x02os)R")), "byte 7: only a class can be called");
}

#[test]
fn a_list_inside_itself_costs_nothing() {
    let (bytes, budget) = (pickle(b"]\x94h\0a"), Budget::plain(0));
    let graph = read(&bytes, &budget).unwrap();
    assert_eq!(graph.sequence(graph.root), Some(&[graph.root][..]));
}

#[test]
fn a_tuple_doubled_a_hundred_times_costs_nothing() {
    let mut body = b")".to_vec();
    for place in 0..100_u8 {
        body.extend([0x94, b'h', place, b'h', place, 0x86]);
    }
    assert!(read(&pickle(&body), &Budget::plain(0)).is_ok());
}

#[test]
fn lists_in_lists_do_not_use_the_stack() {
    let body = [b"]".repeat(200_000), b"a".repeat(199_999)].concat();
    assert!(read(&pickle(&body), &Budget::plain(0)).is_ok());
}

#[test]
fn a_pickle_of_nothing_but_objects_is_refused_before_they_fill_the_memory() {
    for opcode in [b"]", b"N", b"}", b")"] {
        let bytes = pickle(&opcode.repeat(3_900_000));
        let budget = Budget::plain(bytes.len());
        let refusal = read(&bytes, &budget).unwrap_err();
        assert!(matches!(refusal, PickleError::Cost(CostError::Memory { .. })), "{refusal}");
    }
}

#[test]
fn references_to_one_large_dict_cost_a_step_for_each_of_its_entries() {
    // A dict of 100,000 entries, and a list that names it as a tree 100,000 times: ten billion comparisons.
    let entries = [&b"\x8c\x01xN"[..]].concat().repeat(100_000);
    let body = [b"\x8c\x01a\x8c\x01b(}\x94(".to_vec(), entries, b"u".to_vec()].concat();
    let bytes = pickle(&[body, b"h\0".repeat(100_000), b"t".to_vec()].concat());
    let budget = Budget::plain(bytes.len());
    let graph = read(&bytes, &budget).unwrap();
    let dicts = graph.sequence(graph.root).unwrap();
    assert!(dicts.iter().all(|&dict| graph.entry(dict, "tree_").is_none()));
    assert!(matches!(budget.check(), Err(CostError::Work { .. })));
}

#[test]
fn lengths_beyond_the_end_are_refused() {
    let length = (1_u64 << 40).to_le_bytes();
    for opcode in [opcode::BINBYTES8, opcode::BINUNICODE8, opcode::BYTEARRAY8, opcode::FRAME] {
        let body = [&[opcode][..], &length].concat();
        assert_eq!(refusal(&pickle(&body)), "byte 11: expected 1099511627776 bytes, but 1 are left");
    }
}

#[test]
fn more_opcodes_than_any_forest_has_are_refused() {
    let empty_frame = [&[opcode::FRAME][..], &[0; 8]].concat();
    assert_eq!(
        refusal(&pickle(&empty_frame.repeat(OPCODE_LIMIT))),
        "the pickle has more than 4000000 opcodes"
    );
}

#[test]
fn protocols_and_opcodes_of_others_are_named() {
    assert_eq!(refusal(b"\x80\x06."), "pickle protocol must be between 2 and 5, got 6");
    assert_eq!(
        refusal(&pickle(b"Phttp://x\n")),
        "byte 2: opcode 0x50 does not occur in a scikit-learn model"
    );
}

#[test]
fn a_second_pickle_in_the_file_is_not_ignored() {
    assert_eq!(
        refusal(b"\x80\x04N.\x80\x04N."),
        "4 bytes follow the end of the pickle, save the model in a file of its own"
    );
}

#[test]
fn the_stack_below_a_mark_is_out_of_reach() {
    for body in [&b"]N(a"[..], b"](K\x01s", b"N(0", b"(N1]0", b"e", b"u", b"\x93", b"b", b"\x94", b"h\x07"] {
        assert!(
            matches!(read(&pickle(body), &Budget::plain(0)), Err(PickleError::Malformed { .. })),
            "{body:?}"
        );
    }
}

#[test]
fn a_joblib_array_of_two_to_the_forty_is_refused() {
    let body = [
        &b"\x8c\x13joblib.numpy_pickle\x8c\x11NumpyArrayWrapper\x93)\x81}("[..],
        b"\x8c\x05shape\x8a\x06\0\0\0\0\0\x01\x85",
        b"\x8c\x05dtype\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02f8\x85R",
        b"ub",
    ]
    .concat();
    assert_eq!(
        refusal(&pickle(&body)),
        format!(
            "byte {}: byte {}: expected 8796093022208 bytes, but 1 are left",
            body.len() + 1,
            body.len() + 2
        )
    );
}

/// Any opcode that is understood, with some bytes behind it.
fn opcodes() -> impl Strategy<Value = Vec<u8>> {
    let known =
        b"\x950.(1qr\x94hjN\x88\x89JKM\x8aGX\x8c\x8dBC\x8e\x96)t\x85\x86\x87]ae}su\x8f\x90c\x93R\x81b"
            .to_vec();
    let names = ["numpy\ndtype\n", "numpy.core.multiarray\n_reconstruct\n", "sklearn.tree._tree\nTree\n"];
    let step = prop_oneof![
        4 => (prop::sample::select(known), prop::collection::vec(0..4_u8, 0..3))
            .prop_map(|(code, tail)| [vec![code], tail].concat()),
        1 => prop::sample::select(names.to_vec()).prop_map(|name| [b"c", name.as_bytes()].concat()),
    ];
    prop::collection::vec(step, 0..60).prop_map(|steps| steps.concat())
}

proptest! {
    #[test]
    fn any_opcodes_are_read_or_refused(body in opcodes()) {
        let bytes = pickle(&body);
        let budget = Budget::plain(bytes.len());
        if let Ok(graph) = read(&bytes, &budget) {
            prop_assert!(crate::scikit_learn::forest(&graph, bytes.len()).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&pickle(&body), &Budget::plain(0));
        let _ = crate::read(&body);
    }
}
