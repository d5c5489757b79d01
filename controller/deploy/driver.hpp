// The deploy's state machine. For each row of the step table:
//
//   write the intent down, durable -> run -> write down that it is done
//
// On a failure (or a stop on request) every step that was begun is undone in reverse order, with
// the same write-ahead; undoing the flip comes first then and puts the old color back. When the
// flip cannot be undone nothing else is touched (kRollbackFailed). Failures after the soak do not
// move traffic any more: the deploy goes on and ends with 80 and the reason. A deploy whose
// `deploy_within` is over before that fails in whatever step it is; see deploy_deadline.hpp.
//
// Ends by writing the verdict: into the journal, then verdict.json. Runs in the detached deploy
// process under the application's lock; one object a deploy.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controller/deploy/step_table.hpp"

namespace bluegreen {

class Driver {
 public:
  explicit Driver(Deploy& deploy) : deploy_(deploy), table_(table_of(deploy.plan)) {}

  Verdict run();

  // For recovery, with what the journal says was begun. Forward: the flip is done, the rows after
  // it are run, those that judge the new color (`done` names them) not a second time; `began` is
  // the journal's first record. Otherwise everything begun is undone, and the verdict is `cause`
  // and its code; it is not written when the same deploy is about to be tried again.
  Verdict finish(const std::vector<std::string>& begun, const std::vector<std::string>& done,
                 const Facts& began);
  Verdict unwind(const std::vector<std::string>& begun, const Error& cause, bool try_again);
  // False when the deploy is to be tried again and so has no end yet.
  bool has_ended() const { return ended_; }

 private:
  struct Failure {
    const StepRow* row = nullptr;
    Error error;
  };

  Verdict go(std::size_t from, const std::vector<std::string>& done = {});
  // False when the deploy has to be unwound; `failure` says why.
  bool take(const StepRow& row, Failure& failure);
  Result<void> act(const StepRow& row);
  Result<void> run_in_time(const StepRow& row, Deadline start);
  // None: a failure of this step would not lead back to an old color that serves.
  std::optional<Deadline> give_up_in(const StepRow& row);
  tl::unexpected<Error> out_of_time(const std::string& what) const;
  Verdict go_back(const Failure& failure);
  // False when the flip could not be undone. Logs are read when the traffic is back and before what
  // writes them is taken away.
  bool undo_all(std::string& trouble, const std::function<void()>& before_start_is_undone);
  Result<void> undo(const StepRow& row);
  void keep_container_log();
  bool flip_counts();
  bool has_begun(std::string_view name) const;

  // And, as the end of the headline, what keeps users from being served by it; mostly empty.
  std::string describe_serving(Verdict& verdict);
  void emit(const StepRow& row, StepState state, const std::string& text,
            std::chrono::milliseconds took = {});
  void record_begun(const std::vector<std::string>& begun);

  Deploy& deploy_;
  std::span<const StepRow> table_;
  std::vector<const StepRow*> begun_;
  std::vector<StepTime> times_;
  Deadline give_up_ = Deadline::max();  // of the whole deploy
  bool try_again_ = false;
  bool ended_ = false;
};

}  // namespace bluegreen
