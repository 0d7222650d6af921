// What a node's own conditions, labels and annotations say. Pure.
#pragma once

#include <string>

#include "k8s/admission/admission.hpp"

namespace mlc {

inline constexpr const char* due_reason = "DueForALook";

// "" where there is none.
std::string status_of(const NodeView& node, const std::string& condition);
std::string label_of(const NodeView& node, const char* key);
std::string annotation_of(const NodeView& node, const char* key);

// What a node is labelled that is being tested, or was without an answer: "pending", or "refused" as long as
// that is confirmed and nobody has said "pending" since. An operator's word is told from ours by that.
std::string untested_label(const AdmitPolicy& policy, const NodeView& node);

// The label says "admitted" and the condition does not: it was edited. The condition stays, the label follows
// it. Changes nothing otherwise.
Admission label_corrected(const AdmitPolicy& policy, const NodeView& node);

// A refused node that is still open to work, since more of the fleet than the policy allows had failed in
// that hour: it is taken out now, if there is room.
Admission quarantine_owed(const AdmitPolicy& policy, const NodeView& node, std::time_t now);

}  // namespace mlc
