// The sections of the page, each in a file of its own. Where there is nothing to show they add
// nothing.
#pragma once
#include <cstddef>
#include <span>

#include "page.hpp"
#include "svg/markup.hpp"

namespace ranker {

// Training loss and validation metrics over the epochs, a line per model.
void add_curves(svg::Markup& page, const PageContent& content);

// Who gained over the baseline and who lost, and every pair of tasks as a plot, a mark per model
// and seed.
void add_seesaw(svg::Markup& page, const PageContent& content);

// Per model and level, the mean gate and static weights, and the probabilities of what is drawn.
void add_experts(svg::Markup& page, const PageContent& content);

// What bf16 costs, per model: by task, by weight, and the weights to keep.
void add_precision(svg::Markup& page, const PageContent& content);

// What features and tables are like, where there are ids.
void add_embeddings(svg::Markup& page, const PageContent& content);

// Which line and marker is which model's, of the results with these indices.
void add_legend(svg::Markup& page, const PageContent& content, std::span<const std::size_t> shown);

// A <table> in a box that scrolls when it is wide.
void add_table(svg::Markup& page, const Table& table);

// "AUC" or "MSE": what models are compared by.
const char* compared_name(const plait::Head& head);

}  // namespace ranker
