//! A *text hunk* is a range of lines with the removed and added lines.

use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffTag, capture_diff_slices_deadline, group_diff_ops};

const CONTEXT_LINES: usize = 3;

/// The time limit for finding the shortest difference. Beyond it, the patch is correct but longer;
/// for texts with nothing in common the search would take quadratic time.
const SEARCH: Duration = Duration::from_secs(2);

/// Appends the hunks that turn the old content into the new one.
pub(crate) fn append_hunks(output: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    let old: Vec<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
    let new: Vec<&[u8]> = new.split_inclusive(|byte| *byte == b'\n').collect();
    let deadline = Some(Instant::now() + SEARCH);
    let operations = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, deadline);
    let (mut added_before, mut removed_before) = (0, 0);
    for hunk in group_diff_ops(operations, CONTEXT_LINES) {
        let Some(first) = hunk.first() else {
            continue;
        };
        // Counted here, because the position that an operation gives for the untouched side is not
        // always correct.
        let old_length: usize = hunk.iter().map(|one| one.old_range().len()).sum();
        let new_length: usize = hunk.iter().map(|one| one.new_range().len()).sum();
        let old_start = first.old_range().start;
        let new_start = old_start + added_before - removed_before;
        added_before += new_length;
        removed_before += old_length;
        let removed = range(&(old_start..old_start + old_length));
        let added = range(&(new_start..new_start + new_length));
        output.extend(format!("@@ -{removed} +{added} @@\n").bytes());
        for operation in &hunk {
            if operation.tag() == DiffTag::Equal {
                append_lines(output, b' ', &old[operation.old_range()]);
            } else {
                append_lines(output, b'-', &old[operation.old_range()]);
                append_lines(output, b'+', &new[operation.new_range()]);
            }
        }
    }
}

/// A range as in the header of a hunk. An empty range names the line before it.
fn range(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        length => format!("{},{length}", lines.start + 1),
    }
}

fn append_lines(output: &mut Vec<u8>, sign: u8, lines: &[&[u8]]) {
    for line in lines {
        output.push(sign);
        output.extend(*line);
        if !line.ends_with(b"\n") {
            output.extend(b"\n\\ No newline at end of file\n");
        }
    }
}
