import type { OperatorProblem } from '#control-plane/operators/operators.ts';
import { roles } from '#control-plane/operators/roles.ts';
import type { ChangeRefusal } from '#control-plane/registry/keeper.ts';
import { unreachable } from '#runtime/result.ts';

/** Why a registration stayed as it was, and what to do, for people. */
export function changeText({ problem, detail }: ChangeRefusal): string {
  switch (problem) {
    case 'unknown-registration':
      return 'there is no such registration (any more): look again';
    case 'changed-meanwhile':
      return 'it was changed since you looked: look again, then decide';
    case 'does-not-fit':
      return `it does not fit what is in force, change that first: ${detail}`;
    case 'still-named':
      return `others name it, change them first: ${detail}`;
    case 'nothing-to-approve':
      return 'nothing of it waits for approval';
    case 'same-operator':
      return 'whoever proposed it cannot approve it: ask another operator';
    case 'not-approved-yet':
      return 'it is not in force: approve it, reject it or delete it';
    case 'already-disabled':
      return 'it is disabled already';
    case 'not-disabled':
      return 'it is not disabled';
    case 'no-client-secret':
      return 'it has no secret: only clients in force with authentication: client-secret have one';
    case 'proposal-waits':
      return 'a change of it waits for approval: approve it or reject it first';
    case 'tenant-is-fixed':
    case 'approval-not-waivable':
      return 'register another document'; // told where it stands, when a document is registered
    default:
      return unreachable(problem);
  }
}

export function operatorText(problem: OperatorProblem): string {
  switch (problem) {
    case 'bad-name':
      return 'this is no name: write a-z, 0-9, "-", "." and "_", e.g. alice';
    case 'reserved-name':
      return 'the owner of the socket is called so: take another name';
    case 'name-taken':
      return 'there is an operator of this name: take another, or remove that one first';
    case 'unknown-role':
    case 'no-role':
      return `write roles, of ${roles.join(', ')}`;
    case 'too-many-operators':
      return 'there are too many operators: remove some';
    case 'unknown-operator':
      return 'there is no operator of this name: see `eastwest operator list`';
    default:
      return unreachable(problem);
  }
}
