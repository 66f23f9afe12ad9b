use super::*;

const LEAF: Node = Node::Leaf { samples: 1 };

fn split(left: u32, right: u32) -> Node {
    Node::Split { column: 0, threshold: 0.5, left, right }
}

fn message(nodes: &[Node]) -> String {
    Tree::new(1, nodes, vec![]).unwrap_err().to_string()
}

#[test]
fn nodes_are_put_into_preorder() {
    let breadth_first =
        [split(1, 2), split(3, 4), LEAF, Node::Leaf { samples: 3 }, Node::Leaf { samples: 4 }];
    let tree = Tree::new(1, &breadth_first, vec![]).unwrap();
    let expected = [split(1, 4), split(2, 3), Node::Leaf { samples: 3 }, Node::Leaf { samples: 4 }, LEAF];
    assert_eq!(tree.nodes(), expected);
    assert_eq!(tree.depth(), 2);
    assert_eq!(tree.samples(), [8, 7, 3, 4, 1]);
}

#[test]
fn what_is_not_a_tree_is_refused_with_the_node_and_the_reason() {
    assert_eq!(message(&[]), "a tree must have at least 1 node, got 0");
    assert_eq!(message(&[split(0, 1), LEAF]), "node 0 must have one parent, got more");
    assert_eq!(message(&[split(1, 1), LEAF]), "node 1 must have one parent, got more");
    assert_eq!(message(&[split(1, 7), LEAF]), "node 0 must have children among the tree's 2 nodes, got 7");
    assert_eq!(message(&[LEAF, LEAF]), "every node must be reached from the root, got 1 that are not");
    let column = Node::Split { column: 1, threshold: 0.5, left: 1, right: 2 };
    assert_eq!(message(&[column, LEAF, LEAF]), "node 0 must split on one of the 1 columns, got column 1");
    let threshold = Node::Split { column: 0, threshold: f32::NAN, left: 1, right: 2 };
    assert_eq!(message(&[threshold, LEAF, LEAF]), "node 0 must have finite numbers, got NaN or an infinity");
    let plane = Node::Plane { plane: 0, left: 1, right: 2 };
    assert_eq!(message(&[plane, LEAF, LEAF]), "node 0 must have a plane of at least 1 column, got none");
}

/// Found by fuzzing: a file with such a plane opened, and the shares of its columns were infinity over
/// infinity.
#[test]
fn a_plane_so_heavy_that_its_distances_are_no_numbers_is_refused() {
    let plane = |weight| Plane { terms: vec![Term { column: 0, centre: 1.0, weight }], offset: 0.0 };
    let nodes = [Node::Plane { plane: 0, left: 1, right: 2 }, LEAF, LEAF];
    let tree = |weight| Tree::new(1, &nodes, vec![plane(weight)]);
    assert_eq!(
        tree(-1e308).unwrap_err().to_string(),
        "node 0 must have weights from -1e100 to 1e100, got -1e308"
    );
    assert!(tree(-1e100).unwrap().planes()[0].distance(&[f32::MAX]).is_finite());
}

#[test]
fn a_cell_on_the_threshold_goes_left() {
    let tree = Tree::new(1, &[split(1, 2), LEAF, Node::Leaf { samples: 9 }], vec![]).unwrap();
    assert_eq!(tree.step(0, &[0.5]), Some(1));
    assert_eq!(tree.step(0, &[0.5f32.next_up()]), Some(2));
    assert_eq!(tree.step(1, &[0.5]), None);
}

#[test]
fn a_threshold_in_f64_parts_f32_cells_as_its_f32_form_does() {
    for t in [0.1, -0.1, 0.3, 1e-50, -1e-50, 0.5, 1e300, -1e300] {
        let narrow = threshold(t);
        for cell in [narrow.next_down(), narrow, narrow.next_up()] {
            assert_eq!(f64::from(cell) > t, cell > narrow, "{cell} beside {t}");
        }
    }
}
