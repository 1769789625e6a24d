//! A heap in a slice, the smallest item first, that tells where its items go.

/// Children of a node. With four the heap is half as deep as with two, and the children of a node
/// lie in one or two lines of the cache.
const CHILDREN: usize = 4;

/// Puts an item where it belongs, no lower than at `hole`, whose item is overwritten.
pub(super) fn rise<T: Ord + Copy>(
    heap: &mut [T],
    mut hole: usize,
    item: T,
    mut moved: impl FnMut(&T, usize),
) {
    while hole > 0 {
        let parent = (hole - 1) / CHILDREN;
        let above = heap[parent];
        if above <= item {
            break;
        }
        heap[hole] = above;
        moved(&above, hole);
        hole = parent;
    }
    heap[hole] = item;
    moved(&item, hole);
}

/// Puts an item where it belongs, no higher than at `hole`, whose item is overwritten.
pub(super) fn sink<T: Ord + Copy>(
    heap: &mut [T],
    mut hole: usize,
    item: T,
    mut moved: impl FnMut(&T, usize),
) {
    loop {
        let first = hole * CHILDREN + 1;
        let end = (first + CHILDREN).min(heap.len());
        let Some((&head, rest)) = heap.get(first..end).and_then(<[T]>::split_first) else {
            break;
        };
        let (mut least, mut place) = (head, first);
        for (offset, &child) in rest.iter().enumerate() {
            if child < least {
                (least, place) = (child, first + 1 + offset);
            }
        }
        if item <= least {
            break;
        }
        heap[hole] = least;
        moved(&least, hole);
        hole = place;
    }
    heap[hole] = item;
    moved(&item, hole);
}
