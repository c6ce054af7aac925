package compat;
public final class Checks { public static void main(String[] a) { System.out.println("ok x"); } }
