//! Which paths an item mentions. Macros are parsed where their arguments are expressions and read token by token
//! elsewhere; comments and code for tests are left out.

use std::collections::BTreeSet;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprCall, ImplItem, Item, ItemUse, Lit, Meta, Token, TraitItem, UseTree, Visibility};

use super::syntax::{attributes, is_for_tests, plain};
use super::tree::{Import, Kind, Mention, Mentioned, ModuleId, Tree};

/// Adds the paths and imports of `item`, which is not a module.
pub fn collect(tree: &mut Tree, module: ModuleId, item: &Item) {
    let mut collector = Collector {
        tree,
        module,
        variables: BTreeSet::new(),
    };
    collector.visit_item(item);
}

struct Collector<'a> {
    tree: &'a mut Tree,
    module: ModuleId,
    /// Names that the function at hand binds: these hide functions of the same name, except where they are called.
    variables: BTreeSet<String>,
}

impl Collector<'_> {
    fn mention(&mut self, line: usize, global: bool, segments: Vec<String>, kind: Kind) {
        self.tree.mentions.push(Mention {
            module: self.module,
            line,
            path: Mentioned { global, segments },
            kind,
        });
    }

    fn mention_path(&mut self, path: &syn::Path) {
        let segments = path.segments.iter().map(|s| plain(&s.ident)).collect();
        self.mention(
            path.span().start().line,
            path.leading_colon.is_some(),
            segments,
            Kind::Code,
        );
    }

    fn import(&mut self, item: &ItemUse) {
        let kind = match item.vis {
            Visibility::Inherited => Kind::Use,
            _ => Kind::PassOn,
        };
        self.import_tree(&item.tree, item.leading_colon.is_some(), &mut vec![], kind);
    }

    fn import_tree(&mut self, tree: &UseTree, global: bool, prefix: &mut Vec<String>, kind: Kind) {
        let add = |this: &mut Self, segments: Vec<String>, name: Option<String>| {
            let path = Mentioned { global, segments };
            this.mention(tree.span().start().line, global, path.segments.clone(), kind);
            this.tree.modules[this.module].imports.push(Import { path, name });
        };
        match tree {
            UseTree::Path(path) => {
                prefix.push(plain(&path.ident));
                self.import_tree(&path.tree, global, prefix, kind);
                prefix.pop();
            }
            UseTree::Group(group) => {
                for one in &group.items {
                    self.import_tree(one, global, prefix, kind);
                }
            }
            UseTree::Glob(_) => add(self, prefix.clone(), None),
            UseTree::Name(name) => {
                let (path, name) = named(prefix, &name.ident);
                add(self, path, Some(name));
            }
            UseTree::Rename(rename) => {
                let (path, _) = named(prefix, &rename.ident);
                add(self, path, Some(plain(&rename.rename)));
            }
        }
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == sign);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) if at == 0 || !(is(at - 1, '.') || is(at - 1, '\'')) => {
                    let global = at > 1 && is(at - 1, ':') && is(at - 2, ':');
                    let mut segments = vec![plain(first)];
                    while is(at + 1, ':')
                        && is(at + 2, ':')
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                    {
                        segments.push(plain(next));
                        at += 3;
                    }
                    if segments.len() > 1 || is(at + 1, '!') || segments[0].starts_with(char::is_uppercase) {
                        self.mention(first.span().start().line, global, segments, Kind::Code);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// What a function binds hides the names of its module, while `visit` runs.
    fn in_function(&mut self, bound: BTreeSet<String>, visit: impl FnOnce(&mut Self)) {
        let outer = self.variables.clone();
        self.variables.extend(bound);
        visit(self);
        self.variables = outer;
    }
}

/// The path of `use prefix::ident`, and the name that it brings; `use prefix::{self}` brings the prefix.
fn named(prefix: &[String], ident: &Ident) -> (Vec<String>, String) {
    let mut path = prefix.to_vec();
    if ident != "self" || path.is_empty() {
        path.push(plain(ident));
    }
    let name = path.last().cloned().unwrap_or_default();
    (path, name)
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.in_function(Bound::of(|b| b.visit_item_fn(function)), |this| {
            visit::visit_item_fn(this, function);
        });
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(i) => &i.attrs,
            ImplItem::Fn(i) => &i.attrs,
            ImplItem::Type(i) => &i.attrs,
            ImplItem::Macro(i) => &i.attrs,
            _ => return,
        };
        if !is_for_tests(attributes) {
            let bound = Bound::of(|b| b.visit_impl_item(item));
            self.in_function(bound, |this| visit::visit_impl_item(this, item));
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Const(i) => &i.attrs,
            TraitItem::Fn(i) => &i.attrs,
            TraitItem::Type(i) => &i.attrs,
            TraitItem::Macro(i) => &i.attrs,
            _ => return,
        };
        if !is_for_tests(attributes) {
            let bound = Bound::of(|b| b.visit_trait_item(item));
            self.in_function(bound, |this| visit::visit_trait_item(this, item));
        }
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if let Some(token) = &signature.asyncness {
            self.tree.awaiting.push((self.module, token.span().start().line));
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.tree
            .awaiting
            .push((self.module, block.async_token.span().start().line));
        visit::visit_expr_async(self, block);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field_value(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !is_for_tests(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !is_for_tests(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !is_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_expr_block(&mut self, block: &'ast syn::ExprBlock) {
        if !is_for_tests(&block.attrs) {
            visit::visit_expr_block(self, block);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(item);
    }

    /// `pub(in crate::x)` says who may import, and imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let hidden = path.get_ident().is_some_and(|i| self.variables.contains(&plain(i)));
        if !hidden {
            self.mention_path(path);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(function) = &*call.func {
            self.mention_path(&function.path);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.mention_path(&call.path);
        match Punctuated::<Expr, Token![,]>::parse_terminated.parse2(call.tokens.clone()) {
            Ok(arguments) => {
                // The tree that is visited lives as long as the visit.
                for argument in &arguments {
                    let mut inner = Collector {
                        tree: &mut *self.tree,
                        module: self.module,
                        variables: self.variables.clone(),
                    };
                    inner.visit_expr(argument);
                }
            }
            Err(_) => self.tokens(call.tokens.clone()),
        }
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if item.ident.is_some() {
            // macro_rules!: its body is no expression.
            self.tokens(item.mac.tokens.clone());
        } else {
            self.visit_macro(&item.mac);
        }
    }

    /// `#[serde(with = "crate::text")]` is a path in quotes; a comment (`#[doc = …]`) is none.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let Meta::List(list) = &attribute.meta else {
            return;
        };
        self.tokens(list.tokens.clone());
        for token in list.tokens.clone() {
            if let TokenTree::Literal(literal) = token
                && let Ok(Lit::Str(text)) = syn::parse_str::<Lit>(&literal.to_string())
                && let Ok(path) = text.parse_with(syn::Path::parse_mod_style)
            {
                let segments = path.segments.iter().map(|s| plain(&s.ident)).collect();
                self.mention(literal.span().start().line, false, segments, Kind::Quoted);
            }
        }
    }
}

/// The variables that patterns bind.
struct Bound(BTreeSet<String>);

impl Bound {
    fn of(visit: impl FnOnce(&mut Self)) -> BTreeSet<String> {
        let mut bound = Self(BTreeSet::new());
        visit(&mut bound);
        bound.0
    }
}

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.0.insert(plain(&pattern.ident));
        visit::visit_pat_ident(self, pattern);
    }
}
