// Uses a little of everything, for what must compile under flags and macros of all kinds; after
// plait/plait.hpp and plait/methods.hpp.
#pragma once

inline void use_everything() {
  plait::Model<float> model(plait::AdaTT{.input_dim = 8, .num_tasks = 2, .levels = {{8}, {4}}},
                            {.hidden = {{4}}}, 7);
  std::vector<plait::Head> heads(2);
  plait::Trainer trainer(model, heads, plait::Adam{});
  plait::Matrix<float> x(10, 8), y(10, 2), z(10, 2);
  x.setRandom();
  y.setZero();
  trainer.step(x, y);
  trainer.score(x, z);
  plait::GradientBalancer<float> b(plait::PCGrad{}, 2, model.shared_table(), trainer.shared());
  plait::GradientBalancer<float> b2(plait::GradDrop{}, 2, model.shared_table(), trainer.shared());
  plait::GradientBalancer<float> b3(plait::NashMTL{}, 2, model.shared_table(), trainer.shared());
  plait::GradientBalancer<float> b4(plait::UPGrad{}, 2, model.shared_table(), trainer.shared());
  plait::GradientBalancer<float> b5(plait::AlignedMTL{}, 2, model.shared_table(), trainer.shared());
  plait::GradientBalancer<float> b6(plait::GradVac{}, 2, model.shared_table(), trainer.shared());
  plait::LossWeighting w2(plait::UncertaintyWeights{}, 2);
  plait::LossWeighting w3(plait::GradNorm{}, 2);
  trainer.step(x, {y}, b);
  trainer.step(x, {y}, w2);
  plait::Trainer t2(model, heads, plait::AdamW{}), t3(model, heads, plait::SGD{}),
      t4(model, heads, plait::RMSprop{}), t5(model, heads, plait::Adagrad{});
  plait::Scorer scorer(model);
  auto c = scorer.context();
  c.score(x, z);
  scorer.refresh(model.values());
  plait::ExpertWatch w(model);
  w.add(x);
  (void)w.report();
  plait::TaskMetrics m(heads);
  m.add<float>(z, {y});
  plait::WeightAverage<float> avg(model.shared_table(), 0.9);
  avg.update(model.values());
  plait::GradientMean<float> mean(model.shared_table());
  mean.add(trainer.gradient());
  (void)plait::search_learning_rate(model, heads, plait::Adam{}, [&](plait::Index) {
    return plait::TrainingBatch<float>{x, {y}};
  });
}
