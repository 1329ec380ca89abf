namespace plait::kernels::PLAIT_SET {

// One step of a rule: what is the same for all rows is computed on construction, and operator()
// moves one. Rules for rows that plait has specialise it with packets, as dense ones have theirs.
template <class R, class Scalar>
class RowUpdate {
 public:
  RowUpdate(const R& rule, const UpdateStep& step, Index state_size)
      : rule_(rule), step_(step), state_size_(static_cast<std::size_t>(state_size)) {}

  void operator()(Index dim, Scalar* values, const Scalar* gradient, Scalar* state) const {
    const auto size = static_cast<std::size_t>(dim);
    const std::span<Scalar> numbers(values, size);
    const std::span<const Scalar> grad(gradient, size);
    const std::span<Scalar> kept(state, state_size_);
    if constexpr (RowRuleAlone<R, Scalar>) {
      rule_.update_row(step_, numbers, grad, kept);
    } else {
      std::array<std::span<Scalar>, most_moments_of_rows> moments;
      for (std::size_t k = 0; k * size < state_size_; ++k)
        moments[k] = kept.subspan(k * size, size);
      rule_.update(step_, numbers, grad, Moments<Scalar>(moments, 0, dim));
    }
  }

 private:
  const R& rule_;
  const UpdateStep& step_;
  std::size_t state_size_;
};

template <class R, class Scalar>
concept MovesNumbers = requires(const R& rule, const UpdateStep& step) {
  plait::detail::PLAIT_SET::NumberUpdate<R, Scalar>(rule, step);
};

template <class R, class Scalar>
requires MovesNumbers<R, Scalar>
class RowUpdate<R, Scalar> {
 public:
  RowUpdate(const R& rule, const UpdateStep& step, Index) : update_(rule, step) {}

  PLAIT_INLINE void operator()(Index dim, Scalar* values, const Scalar* gradient,
                               Scalar* state) const {
    plait::detail::PLAIT_SET::move_numbers(update_, dim, values, gradient,
                                           [&](Index k) PLAIT_INLINE { return state + k * dim; });
  }

 private:
  plait::detail::PLAIT_SET::NumberUpdate<R, Scalar> update_;
};

template <class R, class Scalar>
void update_row(const R& rule, const UpdateStep& step, std::span<Scalar> values,
                std::span<const Scalar> grad, std::span<Scalar> state) {
  const RowUpdate<R, Scalar> update(rule, step, std::ssize(state));
  update(std::ssize(values), values.data(), grad.data(), state.data());
}

template <class R, class Scalar>
bool move_rows(const R& rule, const UpdateStep& step, const RowGradients<Scalar>& gradients,
               Index shard, const MovedRows<Scalar>& rows) {
  const RowUpdate<R, Scalar> update(rule, step, rows.state_size);
  const Index dim = gradients.dim;
  std::uint64_t* const marks = rows.marks != nullptr ? rows.marks->of_shard(shard) : nullptr;
  auto spoiled = simd::broadcast(Scalar(0));  // 0 times all numbers
  for_each_row(
      gradients, shard,
      [&](Index row, const Scalar* gradient) PLAIT_INLINE {
        Scalar* values = rows.values + row * dim;
        if (marks != nullptr) RowMarks::mark(marks, row);
        update(dim, values, gradient, rows.state + row * rows.state_size);
        simd::for_each_packet<Scalar>(dim, [&](Index d, const auto& memory) PLAIT_INLINE {
          spoiled = spoiled + memory.load(values + d) * Scalar(0);
        });
      },
      [&](Index row) PLAIT_INLINE {
        detail::ask_for_numbers(rows.values + row * dim, dim);
        detail::ask_for_numbers(rows.state + row * rows.state_size, rows.state_size);
      });
  return simd::sum<Scalar>(spoiled) == 0;
}

}  // namespace plait::kernels::PLAIT_SET
