// A walk over a list of headers in which an element can be taken out.
//
// NGINX forwards every element of r->headers_in.headers, whatever is in it, and other pointers lead
// to the elements: so none is moved. A part of the list is shortened at one of its ends, or cut in
// two around the element. Two rules of ngx_list_t are kept: only the first part may be empty (loops
// over a list rely on it), and `nalloc` is never more than the last part has room for.
// And how one is added. In a worker, on the request path.
#pragma once

#include "ngx_module/glue/ngx_compat.hpp"

namespace bluegreen::glue {

// Both texts outlive the request's answer. False without memory.
inline bool add_header(ngx_http_request_t* r, std::string_view name,
                       std::string_view value) noexcept {
  auto* const header = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
  if (header == nullptr) {
    return false;
  }
  header->hash = 1;
  header->key = str(name);
  header->value = str(value);
  end_header_chain(header);
  return true;
}

class HeaderList {
 public:
  explicit HeaderList(ngx_list_t& list) noexcept : list_(list), part_(&list.part) { settle(); }

  ngx_table_elt_t* current() const noexcept {
    return part_ != nullptr ? &elements()[index_] : nullptr;
  }

  void step() noexcept {
    ++index_;
    settle();
  }

  // Takes the current element out; the next one is the current one then. False without memory, and
  // nothing has changed.
  bool remove(ngx_pool_t* pool) noexcept {
    if (index_ + 1 == part_->nelts) {
      --part_->nelts;
      drop_empty_part();
    } else if (index_ == 0) {
      part_->elts = elements() + 1;
      --part_->nelts;
      fit();
    } else if (!split(pool)) {
      return false;
    }
    settle();
    return true;
  }

 private:
  ngx_table_elt_t* elements() const noexcept { return static_cast<ngx_table_elt_t*>(part_->elts); }

  void settle() noexcept {
    while (part_ != nullptr && index_ >= part_->nelts) {
      before_ = part_;
      part_ = part_->next;
      index_ = 0;
    }
  }

  // The next push begins a new part instead of trusting the room behind this one.
  void fit() noexcept {
    if (part_ == list_.last) {
      list_.nalloc = part_->nelts;
    }
  }

  void drop_empty_part() noexcept {
    if (part_->nelts != 0 || before_ == nullptr) {
      return;
    }
    before_->next = part_->next;
    if (list_.last == part_) {
      list_.last = before_;
      // The first part alone may be empty, and has room for one at least.
      list_.nalloc = before_->nelts != 0 ? before_->nelts : 1;
    }
    part_ = before_;
    index_ = part_->nelts;
  }

  bool split(ngx_pool_t* pool) noexcept {
    auto* const rest = static_cast<ngx_list_part_t*>(ngx_palloc(pool, sizeof(ngx_list_part_t)));
    if (rest == nullptr) {
      return false;
    }
    rest->elts = elements() + index_ + 1;
    rest->nelts = part_->nelts - index_ - 1;
    rest->next = part_->next;
    part_->next = rest;
    part_->nelts = index_;
    if (list_.last == part_) {
      list_.last = rest;
      list_.nalloc = rest->nelts;
    }
    return true;
  }

  ngx_list_t& list_;
  ngx_list_part_t* part_;
  ngx_list_part_t* before_ = nullptr;
  ngx_uint_t index_ = 0;
};

}  // namespace bluegreen::glue
