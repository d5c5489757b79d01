// See variables.hpp.
#include "ngx_module/glue/variables.hpp"

#include "ngx_module/glue/inflight.hpp"

namespace bluegreen::glue {

namespace {

enum Shown : uintptr_t { kColor, kGeneration, kRelease, kReason, kPreview };

void set_text(ngx_http_variable_value_t& value, std::string_view text) noexcept {
  value.data = reinterpret_cast<u_char*>(const_cast<char*>(text.data()));
  value.len = static_cast<unsigned>(text.size()) & 0xFFFFFFFU;
}

core::Reason reason_of(const PeerState& state) noexcept {
  return state.refusal != core::Reason::kActive ? state.refusal : state.reason;
}

// A request that we answered ourselves has a reason, and no color.
bool is_known(const PeerState& state, uintptr_t what) noexcept {
  if (what == kPreview) {
    return state.main->previews != 0;
  }
  return state.decided || (what == kReason && state.refusal != core::Reason::kActive);
}

ngx_int_t show(ngx_http_request_t* r, ngx_http_variable_value_t& value, uintptr_t what) noexcept {
  const PeerState* const state = find_state(r);
  value.valid = 1;
  value.no_cacheable = 0;
  value.not_found = 0;
  if (state == nullptr || !is_known(*state, what)) {
    value.not_found = 1;
    return NGX_OK;
  }
  if (what == kColor) {
    set_text(value, shm::name_of(state->color));
  } else if (what == kReason) {
    set_text(value, core::name_of(reason_of(*state)));
  } else if (what == kPreview) {
    set_text(value, "1");
  } else if (what == kRelease) {
    set_text(value, view(state->release));
  } else {
    auto* const digits = static_cast<u_char*>(ngx_pnalloc(r->pool, NGX_INT64_LEN));
    if (digits == nullptr) {
      return NGX_ERROR;
    }
    value.data = digits;
    value.len =
        static_cast<unsigned>(ngx_sprintf(digits, "%uL", state->generation) - digits) & 0xFFFFFFFU;
  }
  return NGX_OK;
}

extern "C" ngx_int_t ngx_http_bluegreen_variable(ngx_http_request_t* r,
                                                 ngx_http_variable_value_t* value, uintptr_t what) {
  return show(r, *value, what);
}

}  // namespace

}  // namespace bluegreen::glue

extern "C" ngx_int_t ngx_http_bluegreen_add_variables(ngx_conf_t* cf) {
  using namespace bluegreen::glue;
  struct {
    ngx_str_t name;
    uintptr_t what;
  } const variables[] = {
      {ngx_string("bluegreen_color"), kColor},
      {ngx_string("bluegreen_generation"), kGeneration},
      {ngx_string("bluegreen_release"), kRelease},
      {ngx_string("bluegreen_reason"), kReason},
      {ngx_string("bluegreen_preview"), kPreview},
  };
  for (const auto& variable : variables) {
    ngx_str_t name = variable.name;
    ngx_http_variable_t* const added = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (added == nullptr) {
      return NGX_ERROR;
    }
    added->get_handler = ngx_http_bluegreen_variable;
    added->data = variable.what;
  }
  return NGX_OK;
}
