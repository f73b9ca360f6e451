//! What every experiment binary shares: the command line, configs, run folders, progress and tables.
//!
//! An experiment binary reads its arguments, resolves a config, opens a run folder, runs, and prints a
//! table. Each step has one file:
//!
//! | file | what it holds |
//! |---|---|
//! | [`arguments`] | the flags that all binaries take, and the first screen |
//! | [`config`] | built-in profile ← file ← `--set`, and the message when a key is wrong |
//! | [`run_folder`] | the folder of one run: create, resume, rows, summary |
//! | [`manifest`] | what the run ran on: version, kernel path, data, seeds |
//! | [`checkpoint`] | two generations of state, each with its checksum |
//! | [`drive`] | the loop around an experiment: begin, advance, show, save, stop |
//! | [`exit`] | exit codes, failures, and the runner of `main` |
//! | [`figure`] | figures as SVG |
//! | [`images`] | the real data, or the stand-in that says so |
//! | [`isa`] | the kernel path, pinned once |
//! | [`linear_regression_report`], [`omniglot_report`], [`two_layer_report`] | the files and tables of one experiment |
//! | [`memory`] | what a run may take, and what it will take |
//! | [`operations`] | where the time of a run went, by operation |
//! | [`out`] | the only way to stdout |
//! | [`profiles`] | the built-in configs |
//! | [`progress`] | what a run says on stderr while it works |
//! | [`sweep_report`] | the files and tables of sweeps |
//! | [`table`] | aligned tables with their intervals named |
//! | [`stop`] | Ctrl-C: save and stop, then stop at once |
//! | [`threads`] | how many threads a run may use |
//!
//! Talk goes to stderr and results go to stdout. Nothing here computes a result.

#![forbid(unsafe_code)]

pub mod arguments;
pub mod checkpoint;
pub mod config;
pub mod drive;
pub mod exit;
pub mod figure;
pub mod images;
pub mod isa;
mod keys;
mod linear_regression_figures;
pub mod linear_regression_report;
pub mod manifest;
pub mod memory;
pub mod omniglot_report;
pub mod operations;
pub mod out;
pub mod profiles;
pub mod progress;
pub mod run_folder;
pub mod stop;
mod sweep_figures;
pub mod sweep_report;
pub mod table;
pub mod threads;
mod two_layer_figures;
pub mod two_layer_report;
